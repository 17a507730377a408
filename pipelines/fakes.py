"""A detector and a teacher that need no weights: fast, deterministic, for tests of the engine."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.geometry import Face

Image = NDArray[np.uint8]


class FakeDetector:
    """Sees one face in the middle of every image that is not almost black."""

    name = "fake-detector"

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """See `FaceDetector.detect`: a face a third as high as the image."""
        return [[] if image.mean() < 4 else [_middle_face(image)] for image in images]


class FakeTeacher:
    """Sees a person-shaped ellipse in every image."""

    name = "fake-teacher"

    def person_probability(self, batch: Sequence[Image]) -> list[NDArray[np.float32]]:
        """See `Teacher.person_probability`: sure inside the ellipse, sure outside."""
        return [_ellipse(*image.shape[:2]) for image in batch]


def _middle_face(image: Image) -> Face:
    height, width = image.shape[:2]
    size = height / 3
    x0, y0 = width / 2 - size * 0.4, height * 0.3
    x1, y1 = width / 2 + size * 0.4, y0 + size

    def at(across: float, down: float) -> tuple[float, float]:
        return x0 + across * (x1 - x0), y0 + down * size

    marks = (at(0.3, 0.4), at(0.7, 0.4), at(0.5, 0.6), at(0.35, 0.8), at(0.65, 0.8))
    return Face((x0, y0, x1, y1), marks, 0.99)


def _ellipse(height: int, width: int) -> NDArray[np.float32]:
    down = (np.arange(height) + 0.5) / height - 0.65
    across = (np.arange(width) + 0.5) / width - 0.5
    distance = (down[:, None] / 0.55) ** 2 + (across[None, :] / 0.35) ** 2
    return np.asarray(1 / (1 + np.exp(40 * (distance - 1))), np.float32)
