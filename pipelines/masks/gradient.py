"""Whether the photo has an edge where the mask has its outline."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.masks.boundary import outline_band
from pipelines.masks.subject import Mask

_SEARCH = np.ones((5, 5), np.uint8)


def edge_rank(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The strength of the strongest edge within 2 pixels, as a rank within this photo.

    Ranks, so that dim and contrasty photos compare.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W) float32 in [0, 1]: the share of the photo's pixels with weaker edges.
    """
    smooth = cv2.GaussianBlur(rgb, (3, 3), 0).astype(np.float32)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    # The strongest of the three channels: hair before a wall of the same brightness has an edge.
    strength = np.hypot(across, down).max(axis=2)
    nearby = cv2.dilate(strength, _SEARCH)
    return np.asarray(np.searchsorted(np.sort(nearby, axis=None), nearby) / nearby.size, np.float32)


def outline_support(mask: Mask, rgb: NDArray[np.uint8]) -> float:
    """Image-gradient support: mean edge rank along the outline.

    It sees outlines that run through a sleeve or a wall. Busy clothes and backgrounds support any
    outline, and where hair and background look the same the true outline has no support.

    Args:
        mask: (H, W) bool.
        rgb: (H, W, 3) uint8.

    Returns:
        In [0, 1]; about 0.5 for an outline drawn at random. The crop's border is no outline. 0.5
        without an outline.
    """
    line = outline_band(mask, 1)
    return float(edge_rank(rgb)[line].mean()) if line.any() else 0.5


def unsupported_share(mask: Mask, rgb: NDArray[np.uint8], below: float = 0.5) -> float:
    """Share of the outline whose edge rank is below a limit, in [0, 1]; 0 without an outline."""
    line = outline_band(mask, 1)
    return float((edge_rank(rgb)[line] < below).mean()) if line.any() else 0.0
