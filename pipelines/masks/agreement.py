"""How much two answers about the same portrait agree: of two views, or of teacher and student."""

import cv2
import numpy as np

from pipelines.masks.subject import Mask, Probability


def agreement(one: Probability, other: Probability) -> float:
    """Soft intersection over union: Σ min / Σ max.

    Of a portrait and its mirror image, or of two scales, it sees whatever the network would say
    otherwise of the same person; errors that it makes in every view it does not see.

    Args:
        one: (H, W) float32 in [0, 1].
        other: likewise.

    Returns:
        In [0, 1], 1 for equal answers, also for two that see nobody.
    """
    union = float(np.maximum(one, other).sum())
    return float(np.minimum(one, other).sum()) / union if union else 1.0


def disagreement(mask: Mask, student: Probability) -> float:
    """Share of the union of a mask and a student's that only one of them covers.

    A student that learnt from people's masks has other faults than the teacher: this sees the
    errors that all of the teacher's views share, and those that the student makes.

    Args:
        mask: (H, W) bool.
        student: (H, W) float32 in [0, 1], the student's person probability.

    Returns:
        In [0, 1], 0 for the same mask.
    """
    own = student > 0.5
    union = int((mask | own).sum())
    return int((mask ^ own).sum()) / union if union else 0.0


def largest_patch(one: Probability, other: Probability, side_px: int) -> float:
    """The mean difference of two answers in the square window where they differ most.

    It sees one arm or one lock of hair that a mean over the portrait drowns.

    Args:
        one: (H, W) float32 in [0, 1].
        other: likewise.
        side_px: of the window.

    Returns:
        In [0, 1], 0 for equal answers.
    """
    difference = np.abs(one - other)
    window = cv2.boxFilter(difference, -1, (side_px, side_px), borderType=cv2.BORDER_CONSTANT)
    return float(np.clip(window.max(), 0, 1))


def difference(before: Mask, after: Mask) -> float:
    """Share of the union of two (H, W) masks that only one covers, 0..1; 0 for empty ones."""
    union = int((before | after).sum())
    return int((before ^ after).sum()) / union if union else 0.0
