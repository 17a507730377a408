"""Metrics of one predicted mask against the true one: counts first, ratios last.

Masks are bool (H, W), true for the person. Every empty case is defined: what has nothing to find
and found nothing scores 1.
"""

import math
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

BAND_KERNEL_PX: Final = 15
BOUNDARY_IOU_DILATION: Final = 0.02
"""Width of Boundary IoU's rim in parts of the image's diagonal (arXiv 2103.16562)."""


class Counts(NamedTuple):
    """How many pixels of which kind."""

    hits: int  # person, and said so
    false_alarms: int  # background, called person
    misses: int  # person, called background
    rejections: int  # background, and said so

    @classmethod
    def of(cls, predicted: Mask, truth: Mask, where: Mask | None = None) -> "Counts":
        """Count the pixels of two masks of one shape, where a third is set if it is given."""
        if predicted.shape != truth.shape:
            raise ValueError(f"masks of shapes {predicted.shape} and {truth.shape} do not compare.")
        if where is not None:
            predicted, truth = predicted[where], truth[where]
        hits = int(np.count_nonzero(predicted & truth))
        called, there = int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
        return cls(hits, called - hits, there - hits, predicted.size - called - there + hits)

    @property
    def iou(self) -> float:
        """Intersection over union of the person; 1 if both masks are empty."""
        return _ratio(self.hits, self.hits + self.false_alarms + self.misses)

    @property
    def background_iou(self) -> float:
        """Intersection over union of the background; 1 if both masks are full."""
        return _ratio(self.rejections, self.rejections + self.false_alarms + self.misses)

    @property
    def miou(self) -> float:
        """Mean of the two classes' intersection over union."""
        return (self.iou + self.background_iou) / 2

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of the person; 1 if both masks are empty."""
        return _ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)


def boundary_f1(predicted: Mask, truth: Mask) -> float:
    """Return F1 of the person in the band around the true outline (15 × 15), as the authors do.

    1 if the truth has no outline: nothing is asked there.
    """
    return Counts.of(predicted, truth, outline_band(truth)).f1


def outline_band(truth: Mask) -> Mask:
    """Return where a 15 × 15 square about a pixel holds both kinds of pixels."""
    square = np.ones((BAND_KERNEL_PX, BAND_KERNEL_PX), np.uint8)
    image = truth.view(np.uint8)
    # OpenCV's default border takes part in neither operation.
    return np.asarray(cv2.dilate(image, square) != cv2.erode(image, square))


def boundary_iou(predicted: Mask, truth: Mask) -> float:
    """Return the intersection over union of the rims of two masks (Boundary IoU)."""
    return Counts.of(rim(predicted), rim(truth)).iou


def rim(mask: Mask) -> Mask:
    """Return a mask's pixels within 2 % of the image's diagonal from what is not mask.

    What lies outside the image is not.
    """
    side = 2 * max(1, round(BOUNDARY_IOU_DILATION * math.hypot(*mask.shape))) + 1
    # How much mask is in the square about a pixel: all of it where it is no rim. Counted by
    # running sums, in a time that does not grow with the square, unlike erosion.
    found = cv2.boxFilter(
        mask.view(np.uint8),
        cv2.CV_32S,
        (side, side),
        normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )
    return np.asarray(mask & (found < side * side))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
