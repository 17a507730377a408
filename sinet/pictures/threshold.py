"""Where a grey mask becomes person and background: said here, and nowhere else."""

from typing import Final

import numpy as np
import numpy.typing as npt

PERSON_ABOVE: Final = 127
"""Grey above it, of 255, is the person: at least half of the pixel."""


def is_person(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which pixels of a grey mask, or of a probability × 255, are the person."""
    return np.asarray(grey > PERSON_ABOVE, np.bool_)
