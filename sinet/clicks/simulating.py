"""Where somebody who sees what is wrong with a mask would click."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sinet.clicks.click import Click

Mask = NDArray[np.bool_]


def next_click(
    mask: Mask, truth: Mask, chance: np.random.Generator | None = None, *, least: float = 0.0
) -> Click | None:
    """Click in the middle of what is most wrong, as interactive segmentation is measured by.

    The middle is the pixel of an error that is farthest from everything that is none of its kind;
    the picture's edge counts as such.

    Args:
        mask: (H, W) bool.
        truth: (H, W) bool.
        chance: draws a place in the inner half of that error instead; None: its middle.
        least: pixels; errors that are nowhere farther than this from their edge are not clicked.

    Returns:
        None if nothing is wrong.
    """
    missing, surplus = _depth(truth & ~mask), _depth(mask & ~truth)
    positive = bool(missing.max() >= surplus.max())
    depth = missing if positive else surplus
    deepest = float(depth.max())
    if deepest <= least:
        return None
    if chance is None:
        place = int(depth.argmax())
    else:
        middle = np.unravel_index(int(depth.argmax()), depth.shape)
        _, parts = cv2.connectedComponents((depth > 0).view(np.uint8))
        inner = (parts == parts[middle]) & (depth >= 0.5 * deepest)
        place = int(chance.choice(np.flatnonzero(inner)))
    row, column = divmod(place, mask.shape[1])
    height, width = mask.shape
    return Click(x=(column + 0.5) / width, y=(row + 0.5) / height, positive=positive)


def _depth(error: Mask) -> NDArray[np.float32]:
    """Distance of every pixel to the nearest that is none; 0 there."""
    framed = np.pad(error, 1).view(np.uint8)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
