"""Signals that take more than one answer.

Of the same network in other views, of a student, or of each of the networks whose mean made the
mask (`opinion_1`, …: how far its own mask is from theirs). They are computed when a mask is made,
since none of these answers are kept; a student that is asked then has not learnt from what people
will say of the mask.
"""

import cv2
import numpy as np

from pipelines.masks.agreement import agreement, disagreement, largest_patch
from pipelines.masks.boundary import band_entropy
from pipelines.masks.confidence import expected_iou, exterior_doubt, interior_confidence
from pipelines.masks.subject import Mask, Probability
from pipelines.networks.views import Views, middle

VIEW, STUDENT, OPINION = "view_", "student_", "opinion_"
"""What the signals' names begin with."""
BAND_PX = 7
PATCH_PX = 15
_NEAR = np.ones((31, 31), np.uint8)


def view_signals(mask: Mask, views: Views) -> dict[str, float]:
    """How far a network's answers about views of the same crop differ, and what they mean together.

    In the mask's surroundings only (15 pixels of a 256-pixel copy): somebody else's body may differ
    as it likes.

    Args:
        mask: (H, W) bool, of at most 256 pixels a side.
        views: of the same size; `larger` covers `middle((H, W))`.

    Returns:
        `view_flip`, `view_smaller`, `view_larger`: agreement with the main pass, in [0, 1];
        `view_patch`: the largest local difference, in [0, 1]; `view_expected_iou`,
        `view_difference`, `view_band_entropy`: as for one pass, of the mean of all views.
    """
    window = middle(mask.shape)
    mean = np.asarray((views.plain + views.mirrored + views.smaller) / 3, np.float32)
    mean[window] = (3 * mean[window] + views.larger) / 4
    near = np.asarray(cv2.dilate(mask.view(np.uint8), _NEAR), np.float32)
    return {
        "view_flip": agreement(views.plain * near, views.mirrored * near),
        "view_smaller": agreement(views.plain * near, views.smaller * near),
        "view_larger": agreement((views.plain * near)[window], views.larger * near[window]),
        "view_patch": max(
            largest_patch(views.plain * near, views.mirrored * near, PATCH_PX),
            largest_patch(views.plain * near, views.smaller * near, PATCH_PX),
        ),
        "view_expected_iou": expected_iou(mask, mean * near),
        "view_difference": disagreement(mask, mean * near),
        "view_band_entropy": band_entropy(mask, mean, BAND_PX),
    }


def student_signals(mask: Mask, probability: Probability, student: Probability) -> dict[str, float]:
    """What a student says of a mask that another network made.

    Args:
        mask: (H, W) bool, of at most 256 pixels a side.
        probability: (H, W) float32 in [0, 1], of the network that made the mask.
        student: (H, W) float32 in [0, 1], of a network that has not learnt from this mask.

    Returns:
        `student_disagreement`, `student_agreement`, `student_patch`: with the mask, the network and
        locally, in [0, 1]; `student_expected_iou`, `student_band_entropy`, `student_interior`,
        `student_exterior`: the signals of one pass by the student's probability.
    """
    return {
        "student_disagreement": disagreement(mask, student),
        "student_expected_iou": expected_iou(mask, student),
        "student_agreement": agreement(probability, student),
        "student_patch": largest_patch(mask.astype(np.float32), student, PATCH_PX),
        "student_band_entropy": band_entropy(mask, student, BAND_PX),
        "student_interior": interior_confidence(mask, student, BAND_PX),
        "student_exterior": exterior_doubt(mask, student, BAND_PX),
    }


def is_second_look(name: str) -> bool:
    """Whether a signal of this name is one of these."""
    return name.startswith((VIEW, STUDENT, OPINION))
