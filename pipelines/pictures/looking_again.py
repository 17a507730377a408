"""A second look for faces, where the first saw none surely: mirrored, on both sides, upside down.

MTCNN knows upright faces alone. Of upright ones it is surer in the mirror now and then; those that
lie in the picture it misses, or finds half sure, with a box beside them. What a rotated picture
shows counts only where it is much surer than the upright one, as four views find four times as
many faces where there are none. benchmarks/README.md says what is found, and what it costs.
"""

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.geometry import Face
from pipelines.pictures.rotation import rotated, rotated_face, rotated_size
from pipelines.workspace.settings import DetectorSettings

Image = NDArray[np.uint8]

# Upright faces of ordinary photos are surer than this in 19 of 20.
_SURE = 0.01
# By how much a rotated picture must be surer: its doubt over that of the upright one.
_MUCH_SURER = 0.25
_ROTATIONS = (90, 180, 270)
_MIRRORED = (1, 0, 2, 4, 3)
"""Landmarks that change places: eyes, and corners of the mouth."""


class Look(Protocol):
    """Finds upright faces in a picture."""

    def __call__(self, picture: Image, *, strict: bool) -> list[Face]:
        """Look; strict: be quick, and leave out small ones and those below 0.9."""
        ...


def faces_of(picture: Image, look: Look, settings: DetectorSettings) -> list[Face]:
    """Look for faces, again where none is sure.

    Args:
        picture: RGB uint8 (H, W, 3).
        look: finds upright faces.
        settings: whether, and how sure a rotated face must be.

    Returns:
        Faces in pixels of the picture; all have the same `rotation`.
    """
    faces = look(picture, strict=False)
    if not settings.look_again or _doubt(faces) <= _SURE:
        return faces
    height, width = picture.shape[:2]
    if faces:
        mirrored = look(np.ascontiguousarray(picture[:, ::-1]), strict=False)
        faces = min(faces, [_mirrored(face, width) for face in mirrored], key=_doubt)
        if _doubt(faces) <= _SURE:
            return faces
    tries = {rotation: look(rotated(picture, rotation), strict=True) for rotation in _ROTATIONS}
    best = min(tries, key=lambda rotation: _doubt(tries[rotation]))
    allowed = min(1 - settings.min_rotated_confidence, _MUCH_SURER * _doubt(faces))
    if _doubt(tries[best]) > allowed:
        return faces
    size = rotated_size((width, height), best)
    return [
        rotated_face(face, size, 360 - best)
        for face in tries[best]
        if face.confidence >= settings.min_rotated_confidence
    ]


def _doubt(faces: list[Face]) -> float:
    """Of the surest face; 1 where there is none."""
    return min((1 - face.confidence for face in faces), default=1.0)


def _mirrored(face: Face, width: int) -> Face:
    x0, y0, x1, y1 = face.box
    marks = [(width - x, y) for x, y in face.landmarks]
    return replace(
        face,
        box=(width - x1, y0, width - x0, y1),
        landmarks=tuple(marks[index] for index in _MIRRORED),
    )
