"""The training loss: a weighted sum over the outputs of a network."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from sinet.losses.boundary import boundary_band, kernel_at
from sinet.losses.segmentation import (
    IGNORED,
    distillation_loss,
    lovasz_hinge_loss,
    mean_over,
    pixel_losses,
    soft_jaccard_loss,
)


class LossWeights(BaseModel):
    """Weights of the parts; the defaults are the paper's: cross-entropy and boundary loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cross_entropy: float = Field(default=1.0, ge=0)
    boundary: float = Field(default=0.9, ge=0, description="λ: cross-entropy of the outline.")
    jaccard: float = Field(default=0.0, ge=0, description="Soft intersection over union.")
    lovasz: float = Field(default=0.0, ge=0, description="Lovász hinge.")
    distillation: float = Field(default=0.0, ge=0, description="Against the teacher's soft mask.")
    coarse: float = Field(
        default=0.0, ge=0, description="Of all of it at the encoder's head, beside the decoder's."
    )


def total_loss(
    outputs: Sequence[Tensor],
    strides: Sequence[int],
    labels: Tensor,
    weights: LossWeights,
    teacher: Tensor | None = None,
) -> Tensor:
    """Return the loss of the first output plus, weighted, that of the coarser ones.

    Args:
        outputs: logits (N, C, H / stride, W / stride), the main one first.
        strides: of the outputs.
        labels: int64 (N, H, W): 0, 1 or `IGNORED`.
        weights: of the parts.
        teacher: uint8 (N, H, W): a probability × 255; needed if its weight is above 0.
    """
    loss = _loss_at(outputs[0], strides[0], labels, weights, teacher)
    for logits, stride in zip(outputs[1:], strides[1:], strict=True):
        if weights.coarse:
            coarse = _loss_at(logits, stride, labels, weights, teacher)
            loss = loss + weights.coarse * coarse
    return loss


def _loss_at(
    logits: Tensor, stride: int, labels: Tensor, weights: LossWeights, teacher: Tensor | None
) -> Tensor:
    logits = logits.float()
    labels = shrink_labels(labels, stride)
    known = labels != IGNORED
    losses = pixel_losses(logits, labels)
    total = weights.cross_entropy * mean_over(losses, known)
    if weights.boundary:
        band = boundary_band(labels == 1, kernel_at(stride)) & known
        total = total + weights.boundary * mean_over(losses, band)
    if weights.jaccard:
        total = total + weights.jaccard * soft_jaccard_loss(logits, labels)
    if weights.lovasz:
        total = total + weights.lovasz * lovasz_hinge_loss(logits, labels)
    if weights.distillation and teacher is not None:
        soft = functional.avg_pool2d(teacher[:, None].float() / 255, stride)[:, 0]
        total = total + weights.distillation * distillation_loss(logits, soft, known)
    return total


def shrink_labels(labels: Tensor, stride: int) -> Tensor:
    """Take every stride-th label, from the middle of its cell: (N, H // stride, W // stride)."""
    return labels[:, stride // 2 :: stride, stride // 2 :: stride]
