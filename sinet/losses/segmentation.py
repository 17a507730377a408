"""The losses of a segmentation, each a pure function of logits and labels.

Legend: N images, C classes, H × W pixels. Labels are 0..C-1, or `IGNORED`.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sinet.labels import IGNORED
from sinet.processes import count_a_process


def pixel_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of every pixel; 0 where it is ignored.

    With one class, its logit is that of the person (binary cross-entropy).

    Args:
        logits: float (N, C, H, W).
        labels: int64 (N, H, W).

    Returns:
        float (N, H, W).
    """
    if logits.shape[1] > 2:
        return functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")
    # With two classes only the difference counts, and that is much less work.
    signs = 2.0 * (labels == 1).to(logits.dtype) - 1.0
    losses = functional.softplus(-signs * person_logit(logits))
    return losses * (labels != IGNORED)


def person_logit(logits: Tensor) -> Tensor:
    """Return the log odds of the person, (N, H, W), of logits of one or two classes."""
    return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


def mean_over(losses: Tensor, where: Tensor) -> Tensor:
    """Return the mean of values where a bool of their shape is set; 0 if it is nowhere.

    Of several processes that train together it is the own share of the whole batch's mean: their
    average is that mean.
    """
    return (losses * where).sum() / count_a_process(where)


def soft_jaccard_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return 1 minus the mean over images of the intersection over union of probabilities.

    With more than two classes it is the mean over the classes, too.

    Args:
        logits: float (N, C, H, W).
        labels: int64 (N, H, W).
    """
    if logits.shape[1] > 2:
        there = (labels != IGNORED).to(logits.dtype)[:, None]
        truth = _one_hot(labels, logits)
        chances = logits.softmax(dim=1) * there
        common = (chances * truth).sum(dim=(2, 3))  # (N, C)
        joined = chances.sum(dim=(2, 3)) + truth.sum(dim=(2, 3)) - common
        return (1 - (common + 1) / (joined + 1)).mean()
    known = (labels != IGNORED).to(logits.dtype)
    person = (labels == 1).to(logits.dtype)
    probability = person_logit(logits).sigmoid() * known
    both = (probability * person).sum(dim=(1, 2))
    either = probability.sum(dim=(1, 2)) + person.sum(dim=(1, 2)) - both
    # One pixel is added to both, so that an image without any person has a loss and a slope.
    return (1 - (both + 1) / (either + 1)).mean()


def lovasz_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the Lovász loss, mean over images (arXiv 1705.08790).

    The hinge of the person's log odds; with more than two classes that of the softmax, mean over
    the classes that an image holds.

    Args:
        logits: float (N, C, H, W).
        labels: int64 (N, H, W).
    """
    if logits.shape[1] > 2:
        known = (labels != IGNORED)[:, None]
        truth = _one_hot(labels, logits)
        wrong = (truth - logits.softmax(dim=1)).abs() * known
        losses = _lovasz(wrong.flatten(2).flatten(0, 1), truth.flatten(2).flatten(0, 1))
        there = truth.flatten(2).any(dim=2).flatten()  # (N · C)
        return mean_over(losses, there)
    odds = person_logit(logits).flatten(1)
    flat = labels.flatten(1)
    person = (flat == 1).to(odds.dtype)
    # Ignored pixels get the smallest error there can be, which the clamp removes.
    nothing = torch.full_like(odds, -torch.inf)
    errors = torch.where(flat != IGNORED, 1 - odds * (2 * person - 1), nothing)
    return _lovasz(errors, person).mean()


def _lovasz(errors: Tensor, truth: Tensor) -> Tensor:
    """Return the Lovász extension of the Jaccard loss, (N,), of errors and 0 or 1, (N, pixels)."""
    errors, order = errors.sort(dim=1, descending=True)
    sorted_truth, sorted_other = truth.gather(1, order), (1 - truth).gather(1, order)
    union = sorted_truth.sum(1, keepdim=True) + sorted_other.cumsum(1)
    intersection = sorted_truth.sum(1, keepdim=True) - sorted_truth.cumsum(1)
    jaccard = 1 - intersection / union
    slope = torch.cat((jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]), dim=1)
    return (errors.clamp(min=0) * slope).sum(1)


def _one_hot(labels: Tensor, logits: Tensor) -> Tensor:
    """Return 1 where a pixel is of a class, (N, C, H, W); 0 everywhere for ignored ones."""
    numbers = torch.arange(logits.shape[1], device=labels.device)
    return (labels[:, None] == numbers[:, None, None]).to(logits.dtype)


def distillation_loss(logits: Tensor, teacher: Tensor, known: Tensor) -> Tensor:
    """Return the binary cross-entropy against a teacher's probability.

    Args:
        logits: float (N, C, H, W), C 1 or 2.
        teacher: float (N, H, W), probability of the person.
        known: bool (N, H, W): the pixels that count.
    """
    losses = functional.binary_cross_entropy_with_logits(
        person_logit(logits), teacher, reduction="none"
    )
    return mean_over(losses, known)
