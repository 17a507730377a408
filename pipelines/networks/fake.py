"""A teacher that needs no weights: fast, deterministic, for tests of the engine."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class FakeTeacher:
    """Sees a person-shaped ellipse in every image."""

    name = "fake-teacher"
    parameters = 0

    def person_probability(self, batch: Sequence[Image]) -> list[NDArray[np.float32]]:
        """See `Teacher.person_probability`: sure inside the ellipse, sure outside."""
        return [_ellipse(*image.shape[:2]) for image in batch]


def _ellipse(height: int, width: int) -> NDArray[np.float32]:
    down = (np.arange(height) + 0.5) / height - 0.65
    across = (np.arange(width) + 0.5) / width - 0.5
    distance = (down[:, None] / 0.55) ** 2 + (across[None, :] / 0.35) ** 2
    return np.asarray(1 / (1 + np.exp(40 * (distance - 1))), np.float32)
