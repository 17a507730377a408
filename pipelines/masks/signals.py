"""All signals of one mask by name: what the combined score learns from.

Everything is computed on copies of at most 256 pixels a side, where a reach in pixels means the
same in every portrait. Signals that need what is not there (views, a student) are left out.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.masks.agreement import largest_patch
from pipelines.masks.boundary import band_entropy
from pipelines.masks.confidence import expected_iou, exterior_doubt, interior_confidence
from pipelines.masks.gradient import outline_support, unsupported_share
from pipelines.masks.position import position
from pipelines.masks.scores import mask_scores
from pipelines.masks.second_looks import BAND_PX, PATCH_PX, student_signals, view_signals
from pipelines.masks.shape import pieces, roughness
from pipelines.masks.subject import Mask, Probability
from pipelines.networks.views import Views, middle
from pipelines.pictures.geometry import Face

WORKING_SIDE_PX = 256
_WIDE_BAND_PX = 15
# What describes the photo rather than the mask, or needs the crop's own size.
_LEFT_OUT = frozenset({"short_side"})


@dataclass(frozen=True)
class Evidence:
    """What is known of a mask, on copies of one size.

    Attributes:
        mask: (H, W) bool.
        rgb: (H, W, 3) uint8.
        face: in pixels of these copies.
        others: the image's other faces, likewise.
        probability: (H, W) float32 in [0, 1], the network's.
        views: of the same network; `larger` covers `middle((H, W))`.
        student: (H, W) float32 in [0, 1], another network's probability.
    """

    mask: Mask
    rgb: NDArray[np.uint8]
    face: Face
    others: Sequence[Face]
    probability: Probability
    views: Views | None = None
    student: Probability | None = None


def reduced(evidence: Evidence) -> Evidence:
    """The same on copies of at most 256 pixels a side, whatever sizes the parts have."""
    height, width = evidence.mask.shape
    scale = min(1.0, WORKING_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))

    def soft(values: Probability) -> Probability:
        return _resized(values, size)

    views = evidence.views
    if views is not None:
        rows, columns = middle((size[1], size[0]))
        inner = (columns.stop - columns.start, rows.stop - rows.start)
        views = Views(
            plain=soft(views.plain),
            mirrored=soft(views.mirrored),
            smaller=soft(views.smaller),
            larger=_resized(views.larger, inner),
        )
    mask = cv2.resize(evidence.mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return Evidence(
        mask=mask > 0,
        rgb=np.asarray(cv2.resize(evidence.rgb, size, interpolation=cv2.INTER_AREA), np.uint8),
        face=evidence.face.scaled(size[0] / width, size[1] / height),
        others=[face.scaled(size[0] / width, size[1] / height) for face in evidence.others],
        probability=soft(evidence.probability),
        views=views,
        student=None if evidence.student is None else soft(evidence.student),
    )


def signals(evidence: Evidence) -> dict[str, float]:
    """Every signal that the evidence allows, by name.

    Args:
        evidence: as it is; `reduced` first, unless it is.

    Returns:
        The scores of `scores.py`, those of the other files here, and with views or a student theirs
        (`view_…`, `student_…`).
    """
    mask, probability = evidence.mask, evidence.probability
    scores = mask_scores(mask, evidence.rgb, evidence.face, evidence.others, probability)
    found = {name: value for name, value in scores.as_dict().items() if name not in _LEFT_OUT}
    regions, holes = pieces(mask)
    found |= {
        "band_entropy_wide": band_entropy(mask, probability, _WIDE_BAND_PX),
        "interior_confidence": interior_confidence(mask, probability, BAND_PX),
        "exterior_doubt": exterior_doubt(mask, probability, BAND_PX),
        "expected_iou": expected_iou(mask, probability),
        "undrawn_patch": largest_patch(mask.astype(np.float32), probability, PATCH_PX),
        "outline_support": outline_support(mask, evidence.rgb),
        "unsupported_share": unsupported_share(mask, evidence.rgb),
        "pieces": float(regions),
        "hole_count": float(holes),
        "roughness": roughness(mask),
    }
    found |= asdict(position(mask, evidence.face))
    return found | second_looks(evidence)


def second_looks(evidence: Evidence) -> dict[str, float]:
    """Of the signals those that views and a student give, as far as they were asked.

    Args:
        evidence: as it is; `reduced` first, unless it is.
    """
    found: dict[str, float] = {}
    if evidence.views is not None:
        found |= view_signals(evidence.mask, evidence.views)
    if evidence.student is not None:
        found |= student_signals(evidence.mask, evidence.probability, evidence.student)
    return found


def _resized(values: Probability, size: tuple[int, int]) -> Probability:
    if values.shape == (size[1], size[0]):
        return values
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
