"""The training loss: a weighted sum over the outputs of a network."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from sinet.labels import IGNORED
from sinet.losses.boundary import boundary_band, class_band, kernel_at
from sinet.losses.segmentation import (
    distillation_loss,
    lovasz_loss,
    mean_over,
    pixel_losses,
    soft_jaccard_loss,
)

EXTRA_LOSSES: Final = ("categorical", "edge", "perturbed", "consistency")
"""Fields of `LossWeights` for what `SegmentationNetwork.training_step` returns."""


class LossWeights(BaseModel):
    """Weights of the parts; the defaults are the paper's: cross-entropy and boundary loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    cross_entropy: float = Field(default=1.0, ge=0)
    boundary: float = Field(default=0.9, ge=0, description="λ: cross-entropy of the outline.")
    jaccard: float = Field(default=0.0, ge=0, description="Soft intersection over union.")
    lovasz: float = Field(default=0.0, ge=0, description="Lovász hinge.")
    distillation: float = Field(default=0.0, ge=0, description="Against the teacher's soft mask.")
    coarse: float = Field(
        default=0.0,
        ge=0,
        description="Of all of it at a network's coarser outputs: SINet's encoder head, SANet's "
        "dense output (β).",
    )
    categorical: float = Field(default=0.0, ge=0, description="SANet's α: which classes there are.")
    edge: float = Field(default=0.0, ge=0, description="PortraitNet: focal loss of the outline.")
    perturbed: float = Field(
        default=0.0, ge=0, description="PortraitNet: cross-entropy with disturbed colours."
    )
    consistency: float = Field(
        default=0.0, ge=0, description="PortraitNet: disturbed colours change nothing (KL)."
    )

    @property
    def extra(self) -> dict[str, float]:
        """Weights above 0 of the losses that only some networks have, by name."""
        return {name: weight for name in EXTRA_LOSSES if (weight := getattr(self, name))}


class Target(NamedTuple):
    """What an output is compared with; everything at the size of that output."""

    labels: Tensor  # int64 (N, H, W): the class, or `IGNORED`
    known: Tensor  # bool (N, H, W): not ignored
    band: Tensor  # bool (N, H, W): around the outline, and known
    teacher: Tensor | None  # float (N, H, W): a teacher's probability of the person


def targets_of(
    labels: Tensor, strides: Sequence[int], teacher: Tensor | None = None, *, classes: int = 2
) -> tuple[Target, ...]:
    """Prepare the targets of the outputs of a network.

    Apart from the loss, since a compiler that fuses the shifts of a band into the loss repeats
    them for every pixel: a quarter of the whole training time.

    Args:
        labels: uint8 or int64 (N, H, W): the class, or `IGNORED`.
        strides: of the outputs.
        teacher: uint8 (N, H, W): a teacher's probability × 255.
        classes: number of them.
    """
    targets = []
    for stride in strides:
        small = shrink_labels(labels, stride).long()
        known = small != IGNORED
        if classes > 2:
            band = class_band(small, kernel_at(stride))
        else:
            band = boundary_band(small == 1, kernel_at(stride)) & known
        soft = None
        if teacher is not None:
            soft = functional.avg_pool2d(teacher[:, None].float() / 255, stride)[:, 0]
        targets.append(Target(small, known, band, soft))
    return tuple(targets)


def total_loss(
    outputs: Sequence[Tensor], targets: Sequence[Target], weights: LossWeights
) -> Tensor:
    """Return the loss of the first output plus, weighted, that of the coarser ones.

    Args:
        outputs: logits (N, C, H / stride, W / stride), the main one first.
        targets: of the outputs, see `targets_of`.
        weights: of the parts.
    """
    loss = _loss_of(outputs[0], targets[0], weights)
    for logits, target in zip(outputs[1:], targets[1:], strict=True):
        if weights.coarse:
            loss = loss + weights.coarse * _loss_of(logits, target, weights)
    return loss


def shrink_labels(labels: Tensor, stride: int) -> Tensor:
    """Take every stride-th label, from the middle of its cell: (N, H // stride, W // stride)."""
    return labels[:, stride // 2 :: stride, stride // 2 :: stride]


def _loss_of(logits: Tensor, target: Target, weights: LossWeights) -> Tensor:
    logits = logits.float()
    losses = pixel_losses(logits, target.labels)
    total = weights.cross_entropy * mean_over(losses, target.known)
    if weights.boundary:
        total = total + weights.boundary * mean_over(losses, target.band)
    if weights.jaccard:
        total = total + weights.jaccard * soft_jaccard_loss(logits, target.labels)
    if weights.lovasz:
        total = total + weights.lovasz * lovasz_loss(logits, target.labels)
    if weights.distillation and target.teacher is not None:
        distilled = distillation_loss(logits, target.teacher, target.known)
        total = total + weights.distillation * distilled
    return total
