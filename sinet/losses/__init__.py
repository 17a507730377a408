"""What training minimises."""

from sinet.labels import IGNORED
from sinet.losses.auxiliary import consistency_loss, edge_loss, presence_loss
from sinet.losses.boundary import boundary_band, class_band, kernel_at
from sinet.losses.segmentation import (
    distillation_loss,
    lovasz_loss,
    pixel_losses,
    soft_jaccard_loss,
)
from sinet.losses.total import LossWeights, Target, targets_of, total_loss

__all__ = [
    "IGNORED",
    "LossWeights",
    "Target",
    "boundary_band",
    "class_band",
    "consistency_loss",
    "distillation_loss",
    "edge_loss",
    "kernel_at",
    "lovasz_loss",
    "pixel_losses",
    "presence_loss",
    "soft_jaccard_loss",
    "targets_of",
    "total_loss",
]
