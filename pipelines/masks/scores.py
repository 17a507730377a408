"""What can be told of a mask without a second opinion: pure functions, numbers with a meaning.

Areas and counts are computed on arrays as given; `mask_scores` reduces them first, since a score
needs no more than a few hundred pixels a side.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.masks.boundary import band_entropy
from pipelines.masks.confidence import mean_confidence
from pipelines.masks.shape import filled_share, fragment_share
from pipelines.masks.subject import Mask, Probability
from pipelines.pictures.geometry import Face, face_window
from pipelines.pictures.sharpness import sharpness

DISAGREEMENT = "disagreement"
"""Name of the score that needs a second opinion: share of the union of two networks' masks that
only one covers, in [0, 1]."""

_WORKING_SIDE_PX = 256
_BAND_PX = 7


@dataclass(frozen=True)
class MaskScores:
    """Scores of one mask; None where it came without a probability (imported, human).

    Attributes:
        area: share of the crop that is mask, in [0, 1].
        face_in_mask: share of the face box that is mask, in [0, 1].
        confidence: mean of |2p − 1| over the crop, in [0, 1]: how far the teacher is from doubt.
        band_entropy: mean binary entropy of p along the outline (7 pixels of a 256-pixel copy to
            either side), in [0, 1].
        support: mean p inside the mask, in [0, 1]: low where edges or filled holes had to be added.
        spill: person probability mass outside the mask / mass inside: other people, cut parts;
            0 for an empty mask, beside which nothing is "other".
        edge_agreement: intersection over union of the mask and the plain p > 0.5, in [0, 1].
        filled: share of the mask that the teacher gave p < 0.5, in [0, 1]: closed holes.
        fragments: area of the person regions (p > 0.5) apart from the mask / mask area; likewise.
        top_contact: share of the crop's upper border that is mask, in [0, 1]: a cut-off head.
        face_cut: share of the face box that lies outside the image, in [0, 1].
        sharpness: variance of the Laplacian of the face at 128 pixels / its grey variance.
        short_side: shorter side of the crop, in pixels.
        other_faces: number of other faces in the crop at least half as high as this one.
    """

    area: float
    face_in_mask: float
    top_contact: float
    face_cut: float
    sharpness: float
    short_side: float
    other_faces: float
    confidence: float | None = None
    band_entropy: float | None = None
    support: float | None = None
    spill: float | None = None
    edge_agreement: float | None = None
    filled: float | None = None
    fragments: float | None = None

    def as_dict(self) -> dict[str, float]:
        """Only the scores there are, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def mask_scores(
    mask: Mask,
    rgb: NDArray[np.uint8],
    face: Face,
    others: Sequence[Face],
    probability: Probability | None = None,
) -> MaskScores:
    """All scores of one mask.

    Args:
        mask: (H, W) bool.
        rgb: (H, W, 3) uint8, the crop.
        face: in pixels of the crop.
        others: the image's other faces, in pixels of the crop.
        probability: (H, W) float32 in [0, 1], the teacher's; None for a mask without one.

    Returns:
        The scores; see `MaskScores`.
    """
    height, width = mask.shape
    rows, columns = face_window(face, mask.shape)
    scale = min(1.0, _WORKING_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    teacher: dict[str, float] = {}
    if probability is not None:
        teacher = _teacher_scores(small, np.asarray(cv2.resize(probability, size), np.float32))
    return MaskScores(
        area=float(small.mean()),
        face_in_mask=float(mask[rows, columns].mean()),
        top_contact=float(mask[0].mean()),
        face_cut=_face_cut(face, width, height),
        sharpness=sharpness(rgb[rows, columns]),
        short_side=float(min(height, width)),
        other_faces=float(_faces_in_crop(face, others, width, height)),
        **teacher,
    )


def _teacher_scores(mask: Mask, probability: Probability) -> dict[str, float]:
    person = probability > 0.5
    area = int(mask.sum())
    inside = float(probability[mask].sum())
    outside = float(probability.sum()) - inside
    union = int((mask | person).sum())
    return {
        "confidence": mean_confidence(probability),
        "band_entropy": band_entropy(mask, probability, _BAND_PX),
        "support": inside / area if area else 0.0,
        "spill": outside / max(inside, 1.0) if area else 0.0,
        "edge_agreement": int((mask & person).sum()) / union if union else 1.0,
        "filled": filled_share(mask, person),
        "fragments": fragment_share(mask, person),
    }


def _face_cut(face: Face, width: int, height: int) -> float:
    x0, y0, x1, y1 = face.box
    seen = max(0.0, min(x1, width) - max(x0, 0)) * max(0.0, min(y1, height) - max(y0, 0))
    whole = (x1 - x0) * (y1 - y0)
    return 1 - seen / whole if whole > 0 else 1.0


def _faces_in_crop(face: Face, others: Sequence[Face], width: int, height: int) -> int:
    def centre_inside(other: Face) -> bool:
        x0, y0, x1, y1 = other.box
        return 0 <= (x0 + x1) / 2 < width and 0 <= (y0 + y1) / 2 < height

    return sum(other.height >= face.height / 2 and centre_inside(other) for other in others)
