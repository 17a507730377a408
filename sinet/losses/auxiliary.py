"""Losses that some networks have beside the segmentation's: pure functions of logits and labels.

Legend: N images, C classes, H × W pixels. Labels are 0..C-1, or `IGNORED`.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from sinet.labels import IGNORED
from sinet.losses.boundary import boundary_band
from sinet.losses.segmentation import mean_over, pixel_losses

EDGE_KERNEL: Final = 5
"""Side of the square that makes an outline of a label: four pixels wide."""

_FOCUS: Final = 2.0


def edge_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the focal loss (γ = 2) of a prediction of the outline (PortraitNet).

    Args:
        logits: float (N, 2, H, W): no outline, outline.
        labels: int64 (N, H, W), of the segmentation.
    """
    outline = boundary_band(labels == 1, EDGE_KERNEL)
    losses = pixel_losses(logits, outline.long())
    missed = 1 - torch.exp(-losses)  # of the right answer's probability
    return mean_over(missed**_FOCUS * losses, labels != IGNORED)


def consistency_loss(logits: Tensor, teacher: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence from a teacher's prediction, mean over pixels.

    Args:
        logits: float (N, C, H, W).
        teacher: float (N, C, H, W), logits of the same pixels; no gradient flows into them. With
            one class, that of the person against its complement.
    """
    if logits.shape[1] == 1:
        logits = torch.cat((torch.zeros_like(logits), logits), dim=1)
        teacher = torch.cat((torch.zeros_like(teacher), teacher), dim=1)
    said, meant = logits.log_softmax(dim=1), teacher.detach().log_softmax(dim=1)
    divergence = functional.kl_div(said, meant, reduction="none", log_target=True)
    return divergence.sum(dim=1).mean()


def presence_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy of which classes an image holds (SANet's categorical loss).

    Args:
        logits: float (N, C), of a class being anywhere in the image; with C = 1, of the person.
        labels: int64 (N, H, W).
    """
    classes = logits.shape[1]
    numbers = torch.arange(classes, device=labels.device) + int(classes == 1)
    present = (labels[:, None] == numbers[:, None, None]).flatten(2).any(dim=2)  # (N, C)
    return functional.binary_cross_entropy_with_logits(logits, present.to(logits.dtype))
