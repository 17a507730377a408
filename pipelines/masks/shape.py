"""Pieces, holes and roughness of a mask."""

import cv2
import numpy as np

from pipelines.masks.subject import Mask


def fragment_share(mask: Mask, person: Mask) -> float:
    """Area of the person regions that no pixel of the mask belongs to, over the mask's area.

    It sees arms that were cut off, ghosts and other people, if the network was sure of them.

    Args:
        mask: (H, W) bool.
        person: (H, W) bool, the plain p > 0.5.

    Returns:
        At least 0; 0 for an empty mask, beside which nothing is apart.
    """
    area = int(mask.sum())
    if not area:
        return 0.0
    count, labels = cv2.connectedComponents(person.view(np.uint8))
    touched = np.zeros(count, np.bool_)
    touched[np.unique(labels[mask])] = True
    return int((person & ~touched[labels]).sum()) / area


def filled_share(mask: Mask, person: Mask) -> float:
    """Share of the mask that the network took for background: closed holes, moved edges.

    Args:
        mask: (H, W) bool.
        person: (H, W) bool, the plain p > 0.5.

    Returns:
        In [0, 1]; 0 for an empty mask.
    """
    area = int(mask.sum())
    return int((mask & ~person).sum()) / area if area else 0.0


def pieces(mask: Mask) -> tuple[int, int]:
    """Number of connected regions (8-neighbours) and of holes (4-neighbours) in a mask."""
    regions = cv2.connectedComponents(mask.view(np.uint8))[0] - 1
    around = np.pad(~mask, 1, constant_values=True).view(np.uint8)
    return regions, cv2.connectedComponents(around, connectivity=4)[0] - 2


def roughness(mask: Mask) -> float:
    """Length of the outline over that of a mask opened and closed with a 9-pixel disc.

    It sees ragged outlines and thin spurs.

    Args:
        mask: (H, W) bool.

    Returns:
        At least 0; about 1 for a smooth mask; 1 where nothing is left to compare with.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    grey = mask.view(np.uint8)
    smooth = cv2.morphologyEx(cv2.morphologyEx(grey, cv2.MORPH_OPEN, disc), cv2.MORPH_CLOSE, disc)
    smooth_length = _outline_length(np.asarray(smooth, np.uint8))
    return _outline_length(grey) / smooth_length if smooth_length else 1.0


def _outline_length(grey: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    contours, _ = cv2.findContours(grey, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return float(sum(cv2.arcLength(each, True) for each in contours))
