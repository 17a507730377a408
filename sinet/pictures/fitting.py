"""Which way up does a mask lie on its photo?

A camera stores what its sensor saw, and says by EXIF how to turn it. Who draws a mask works on the
turned photo or on the stored one, and both have the same size as often as not. The outline of the
right one follows the edges of the picture: on 1,043 pairs made of EG1800's portraits it has at
least 1.4 times the strength there of the same mask turned wrongly.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from sinet.errors import PictureError
from sinet.pictures.levels import Mask, Understood
from sinet.pictures.orientation import IN_WORDS, UPRIGHT, turned

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]

_SIDE_PX: Final = 256
# An outline lies on the picture's edges if they are stronger there than elsewhere, and of two
# masks one fits clearly if they are so much stronger there.
_ON_EDGES: Final = 1.0
_CLEARLY: Final = 1.25
_COVERED, _MISSED = 0.7, 0.3  # parts of a face
_SAME_IOU: Final = 0.98  # of a mask and itself turned: it does not matter which
# A mask has more of the middle than of the upper corners, by whatever part of them. Of 1,836 masks
# of EG1800, street and faces none is taken for inverted at 0.4, and 97 % of them inverted are.
_INVERTED: Final = 0.4


class _Candidate(NamedTuple):
    orientation: int
    person: Mask
    edges: float
    face: float


def upright(
    read: Understood,
    tags: Sequence[int],
    shape: tuple[int, int],
    photo: Callable[[], Pixels],
    faces: Sequence[Box] = (),
) -> Understood:
    """Turn a mask as its photo was turned, if it was drawn on the photo as stored.

    Args:
        read: the mask as it is stored.
        tags: EXIF orientations that may have to be applied: the photo's, and the mask's own.
        shape: (H, W) of the upright photo.
        photo: gives the upright photo, uint8 (H, W, 3) RGB; called only where there is a choice.
        faces: boxes in it, left, top, right and bottom in pixels.

    Raises:
        PictureError: `mask_size_mismatch`, or `mask_orientation`: no way of turning it fits.
    """
    stored = read.person.shape
    ways = [way for way in dict.fromkeys([UPRIGHT, *tags]) if _shape(stored, way) == shape]
    if not ways:
        raise PictureError("mask_size_mismatch", _sizes(stored, shape))
    if set(tags) <= {UPRIGHT}:
        return read
    picture = _Edges(photo())
    found = [_candidate(read.person, way, picture, faces) for way in ways]
    best, *others = sorted(found, key=lambda each: each.edges, reverse=True)
    tag = next(tag for tag in tags if tag != UPRIGHT)
    if not all(_are_same(best.person, other.person) for other in others):
        best = _clearly_best(found, tag)
    elif not others and best.orientation != UPRIGHT and not _fits(best):
        raise _fits_nowhere(tag)
    if best.orientation == UPRIGHT:
        return read
    return Understood(
        best.person,
        f"{read.how}, {IN_WORDS[best.orientation]} as EXIF says",
        None if read.unknown is None else turned(read.unknown, best.orientation),
    )


def refuse_inverted(person: Mask, faces: Sequence[Box] = (), *, was_inverted: bool = False) -> None:
    """Refuse a mask that is full where nobody is and empty where somebody is.

    Args:
        person: (H, W), upright.
        faces: boxes in it; none: the middle of the picture is looked at.
        was_inverted: black was already taken for the person.

    Raises:
        PictureError: `mask_inverted`.
    """
    height, width = person.shape
    down, across = -(-height // 5), -(-width // 6)
    corners = (person[:down, :across].mean() + person[:down, -across:].mean()) / 2
    middle = (width / 3, height / 3, 2 * width / 3, 2 * height / 3)
    if corners - max(_share(person, box) for box in faces or [middle]) <= _INVERTED:
        return
    settles = "leave out --mask-invert" if was_inverted else "--mask-invert"
    raise PictureError(
        "mask_inverted", f"the mask looks inverted, white where nobody is: {settles}."
    )


def _clearly_best(found: Sequence[_Candidate], tag: int) -> _Candidate:
    best, second, *_ = sorted(found, key=lambda each: each.edges, reverse=True)
    if best.edges >= max(_ON_EDGES, _CLEARLY * second.edges):
        return best
    best, second, *_ = sorted(found, key=lambda each: each.face, reverse=True)
    if best.face >= _COVERED and second.face <= _MISSED:
        return best
    raise _fits_nowhere(tag)


def _fits(candidate: _Candidate) -> bool:
    return candidate.edges >= _ON_EDGES or candidate.face >= _COVERED


def _fits_nowhere(tag: int) -> PictureError:
    return PictureError(
        "mask_orientation",
        f"the photo is {IN_WORDS[tag]} by EXIF (orientation {tag}), and the mask clearly fits "
        "neither as it is nor turned with it: turn the mask as the photo is shown.",
    )


def _candidate(person: Mask, way: int, picture: "_Edges", faces: Sequence[Box]) -> _Candidate:
    mask = np.ascontiguousarray(turned(person, way))
    face = max((_share(mask, box) for box in faces), default=0.5)
    return _Candidate(way, mask, picture.along(mask), face)


class _Edges:
    """The edges of a picture, for outlines to be laid upon."""

    def __init__(self, rgb: Pixels) -> None:
        factor = min(1.0, _SIDE_PX / max(rgb.shape[:2]))
        self._size = tuple(max(1, round(factor * side)) for side in rgb.shape[1::-1])
        self._x, self._y = _slopes(rgb, self._size)
        strength = np.hypot(self._x, self._y).max(axis=2)
        self._most = float(np.percentile(strength, 95))
        self._mean = max(float(strength.mean()), 1e-6)

    def along(self, mask: Mask) -> float:
        """Return how strong edges are along a mask's outline, across it; 1 is the mean."""
        x, y = _slopes(mask.view(np.uint8) * np.uint8(255), self._size)
        length = np.hypot(x, y)
        outline = length > 0.4 * length.max()
        if not outline.any():
            return 0.0
        across = x[outline] / length[outline], y[outline] / length[outline]
        found = self._x[outline] * across[0][:, None] + self._y[outline] * across[1][:, None]
        return float(np.minimum(np.abs(found).max(axis=1), self._most).mean()) / self._mean


def _slopes(
    pixels: Pixels, size: tuple[int, ...]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 1).astype(np.float32)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _share(person: Mask, box: Box) -> float:
    """Return how much of a box is person, 0..1."""
    left, top, right, bottom = (max(0, round(each)) for each in box)
    part = person[top:bottom, left:right]
    return float(part.mean()) if part.size else 0.0


def _are_same(one: Mask, other: Mask) -> bool:
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) >= _SAME_IOU * either


def _shape(stored: tuple[int, ...], orientation: int) -> tuple[int, ...]:
    return stored if orientation < 5 else stored[::-1]


def _sizes(stored: tuple[int, ...], shape: tuple[int, int]) -> str:
    sizes = f"the mask has {stored[1]}×{stored[0]} pixels, its upright image {shape[1]}×{shape[0]}"
    if stored[::-1] == shape:
        return f"{sizes}: one of them was turned, and EXIF does not say how; turn the mask"
    return f"{sizes}; make both the same size"
