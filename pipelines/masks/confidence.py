"""How sure the network is of what it says, apart from the outline."""

import numpy as np

from pipelines.masks.boundary import outline_band
from pipelines.masks.subject import Mask, Probability


def mean_confidence(probability: Probability) -> float:
    """Mean of |2p − 1| over the crop, in [0, 1]: how far the network is from doubt."""
    return float(np.abs(2 * probability - 1).mean())


def interior_confidence(mask: Mask, probability: Probability, reach_px: int) -> float:
    """Mean person probability inside the mask, away from its outline.

    It sees clothes, hands and hair that the network half took for something else. It does not see
    the outline (`band_entropy`) nor what lies outside the mask.

    Args:
        mask: (H, W) bool.
        probability: (H, W) float32 in [0, 1].
        reach_px: how far from the outline the interior begins.

    Returns:
        In [0, 1], high for a sure interior; 0 without an interior.
    """
    inner = mask & ~outline_band(mask, reach_px)
    return float(probability[inner].mean()) if inner.any() else 0.0


def exterior_doubt(mask: Mask, probability: Probability, reach_px: int) -> float:
    """Person probability outside the mask, away from its outline, over the mask's area.

    It sees parts of the person that may be missing, and other people.

    Args:
        mask: (H, W) bool.
        probability: (H, W) float32 in [0, 1].
        reach_px: how far from the outline the exterior begins.

    Returns:
        At least 0, high for a doubtful surrounding; 0 for an empty mask.
    """
    area = int(mask.sum())
    outer = ~mask & ~outline_band(mask, reach_px)
    return float(probability[outer].sum()) / area if area else 0.0


def expected_iou(mask: Mask, probability: Probability) -> float:
    """Intersection over union of the mask with the probability taken at its word.

    Σ p inside / (area + Σ p outside): the mask's IoU if every pixel were a person as often as the
    network says. It sees every doubt in proportion to its area, and believes the network.

    Args:
        mask: (H, W) bool.
        probability: (H, W) float32 in [0, 1].

    Returns:
        In [0, 1]; 0 for an empty mask.
    """
    area = int(mask.sum())
    inside = float(probability[mask].sum())
    outside = float(probability.sum()) - inside
    return inside / (area + outside) if area else 0.0
