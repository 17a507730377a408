"""Grey levels: do they say person and background, or something else?"""

from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from sinet.pictures.threshold import is_person

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

# What counts as black and as white: rounding and compression move levels by so much.
BLACK_UP_TO: Final = 20
WHITE_FROM: Final = 235
# A level that fills areas is a class, not the softness of an edge. In parts of the picture.
_PLATEAU: Final = 0.001
_PLATEAU_LOSSY: Final = 0.005
_FEW_LEVELS: Final = 32
# A mask is black and white but for its edges; a photograph is not.
_EXTREMES: Final = 0.75


class Understood(NamedTuple):
    """A mask, in words how it was read, and what it leaves open: nobody's, but not for certain."""

    person: Mask
    how: str
    unknown: Mask | None = None


def read_levels(grey: Grey, *, is_lossy: bool) -> Understood | None:
    """Read a grey plane as a mask; None where it is not clearly one.

    Args:
        grey: (H, W), 0 to 255.
        is_lossy: it was compressed so that levels are not kept exactly.
    """
    counts = np.bincount(grey.ravel(), minlength=256)
    levels = np.flatnonzero(counts)
    if len(levels) == 1:
        level = int(levels[0])
        if BLACK_UP_TO < level < WHITE_FROM or (0 < level <= BLACK_UP_TO and not is_lossy):
            return None
        return Understood(is_person(grey), "all white" if level >= WHITE_FROM else "all black")
    lowest, highest = int(levels[0]), int(levels[-1])
    if lowest > BLACK_UP_TO or highest < WHITE_FROM:
        return None
    if len(levels) > 2:
        extremes = counts[: BLACK_UP_TO + 1].sum() + counts[WHITE_FROM:].sum()
        if extremes < _EXTREMES * grey.size or _has_classes(grey, counts, is_lossy=is_lossy):
            return None
        how = "compressed" if is_lossy else "with soft edges"
        return Understood(is_person(grey), f"black and white, {how}")
    return Understood(is_person(grey), "black and white")


def _has_classes(grey: Grey, counts: npt.NDArray[np.int64], *, is_lossy: bool) -> bool:
    """Tell whether levels beside black and white fill areas: a trimap, or numbers of classes."""
    levels = np.flatnonzero(counts)
    if len(levels) == 3 and not is_lossy:
        return True
    window = np.ones((3, 3), np.uint8)
    flat = cv2.erode(grey, window) == cv2.dilate(grey, window)
    areas = np.bincount(grey[flat], minlength=256)
    filled = areas >= (_PLATEAU_LOSSY if is_lossy else _PLATEAU) * grey.size
    if filled[BLACK_UP_TO + 1 : WHITE_FROM].any():
        return True
    # Compression scatters levels around black and white; a few of them are numbers.
    return len(levels) <= _FEW_LEVELS and not is_lossy and int(filled.sum()) > 2


def listed(values: npt.NDArray[np.generic], most: int = 8) -> str:
    """Say which values an array holds, with their shares, such as `0 (54 %), 15 (46 %)`."""
    found, counts = np.unique(values, return_counts=True)
    if len(found) > most:
        return f"{len(found):,} levels from {found[0]:g} to {found[-1]:g}"
    shares = (100 * counts / values.size).round().astype(int)
    named = (f"{value:g} ({share} %)" for value, share in zip(found, shares, strict=True))
    return f"{'level' if len(found) == 1 else 'levels'} {', '.join(named)}"
