"""How sure the network is along the outline, where most of a mask's errors are."""

import cv2
import numpy as np

from pipelines.masks.subject import Mask, Probability


def outline_band(mask: Mask, reach_px: int) -> Mask:
    """The pixels within `reach_px` (Chebyshev) of the outline, on either side.

    Args:
        mask: (H, W) bool.
        reach_px: at least 1.

    Returns:
        (H, W) bool; empty where the mask is empty or covers everything.
    """
    kernel = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    grey = mask.view(np.uint8)
    return np.asarray(cv2.dilate(grey, kernel) != cv2.erode(grey, kernel))


def binary_entropy(probability: Probability) -> Probability:
    """Entropy of each pixel in bits, in [0, 1]: 1 where p = 0.5."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), np.float32)


def band_entropy(mask: Mask, probability: Probability, reach_px: int) -> float:
    """Boundary uncertainty: mean entropy within a band around the outline.

    It sees blurred and guessed outlines, and nothing of a part that is missing altogether with
    certainty.

    Args:
        mask: (H, W) bool.
        probability: (H, W) float32 in [0, 1].
        reach_px: of the band, to either side.

    Returns:
        In [0, 1], high for an unsure outline; 0 without an outline.
    """
    band = outline_band(mask, reach_px)
    return float(binary_entropy(probability[band]).mean()) if band.any() else 0.0
