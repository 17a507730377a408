"""Size and place of a mask, in units of its face: what people look like is known beforehand."""

from dataclasses import dataclass

import numpy as np

from pipelines.masks.subject import Mask
from pipelines.pictures.geometry import Face, face_window


@dataclass(frozen=True)
class Position:
    """Where a mask lies relative to its face; 0 throughout for an empty mask.

    These are no verdicts by themselves: the combined score learns which values are usual.

    Attributes:
        area_in_faces: area over that of the face box; a head with shoulders has 3 to 8.
        crown: how far the mask reaches above the face box, in face heights; hair gives about 0.2,
            below 0 the forehead is missing.
        offset: horizontal distance of the mask's centroid from the face's centre, in face heights.
        shoulders: widest row below the face, in face widths.
        neck: narrowest row within half a face height below the face box, in face widths; 0 where a
            head is cut from its body.
        beside: share of the mask above the chin and further than 1.1 face widths from the face's
            centre: raised arms, large hair, somebody behind.
        bottom: share of the crop's lower border that is mask, in [0, 1].
        sides: share of the left and right border that is mask, in [0, 1].
    """

    area_in_faces: float
    crown: float
    offset: float
    shoulders: float
    neck: float
    beside: float
    bottom: float
    sides: float


def position(mask: Mask, face: Face) -> Position:
    """Measure a mask against its face.

    Args:
        mask: (H, W) bool.
        face: in pixels of the mask.
    """
    if not mask.any():
        return Position(0, 0, 0, 0, 0, 0, 0, 0)
    x0, y0, x1, y1 = face.box
    width, height = max(1.0, x1 - x0), max(1.0, y1 - y0)
    widths = mask.sum(axis=1)
    _, columns = face_window(face, mask.shape)
    # The crown of this head, not of somebody who stands higher.
    above_face = np.flatnonzero(mask[:, columns].any(axis=1))
    top = float(above_face[0]) if len(above_face) else float(y1)
    chin = min(max(round(y1), 0), len(widths) - 1)
    neck_end = min(len(widths), chin + max(1, round(height / 2)))
    away = np.abs(np.arange(mask.shape[1]) - (x0 + x1) / 2) > 1.1 * width
    centroid = float((mask.sum(axis=0) * np.arange(mask.shape[1])).sum() / widths.sum())
    return Position(
        area_in_faces=float(mask.sum()) / (width * height),
        crown=(y0 - top) / height,
        offset=abs(centroid - (x0 + x1) / 2) / height,
        shoulders=float(widths[chin:].max()) / width,
        neck=float(widths[chin:neck_end].min()) / width,
        beside=float(mask[:chin, away].sum() / widths.sum()),
        bottom=float(mask[-1].mean()),
        sides=float(mask[:, [0, -1]].mean()),
    )
