"""Pictures within a photo: frames on a wall, sheets of one portrait, before and after, collages.

Their faces are as good as others to a detector, but they are no photos of a person: a crop reaches
over frame and seam, and a sheet is one portrait many times. They are told by what photos of people
lack: edges that are straight to the pixel from end to end, and the same face once more. What is
found, and how many ordinary photos are taken for such, is in benchmarks/README.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.geometry import Box, Face, area

Image = NDArray[np.uint8]
Lines = NDArray[np.float64]

# Correlation from which two faces are one. Of different people of the web crawl: up to 0.86.
_SAME = 0.9
_FACE_PX, _SHIFT_PX = 40, 4
_AROUND_FACE = 1.5

# Share of a column's pixels at which the picture jumps from one to the next. In ordinary photos
# with several people up to 0.4 of them, between collages' pictures from 0.5.
_SEAM = 0.45
_SAMPLED = 200
_JUMP = 8

# A frame's sides: the share that must be seen, and how far they may be from level or plumb.
_SEEN = 0.75
_TILT = 0.18
_FRAMED_FACE_PX = 48
_SHORTEST_PX = 6
# In sizes of the face: how far away its frame may be to the sides, above and below.
_SIDES, _ABOVE, _BELOW = 2.0, 2.0, 2.5
# What surrounds nearly all of a photo is its border.
_MOST_OF_PHOTO = 0.7
_PARTS = 64


@dataclass(frozen=True)
class Within:
    """What speaks against the portraits of a photo.

    Attributes:
        framed: of each face: a frame surrounds it.
        repeated: of each face: it is there once more.
        split: a straight seam runs through the whole photo, with faces on both sides.
    """

    framed: tuple[bool, ...]
    repeated: tuple[bool, ...]
    split: bool


def look_within(rgb: Image, faces: Sequence[Face]) -> Within:
    """Tell pictures within a photo.

    Args:
        rgb: uint8 (H, W, 3), sRGB.
        faces: that stand upright in it.
    """
    return Within(
        framed=tuple(_is_framed(rgb, face) for face in faces),
        repeated=_repeated(rgb, faces),
        split=len(faces) > 1 and (_has_seam(rgb, faces, 0) or _has_seam(rgb, faces, 1)),
    )


def _repeated(rgb: Image, faces: Sequence[Face]) -> tuple[bool, ...]:
    """Faces that look like another one, or like its mirror image, to the pixel."""
    found = [False] * len(faces)
    if len(faces) > 1:
        small = [_small(rgb, face) for face in faces]
        for one, other in combinations(range(len(faces)), 2):
            if not (found[one] and found[other]) and _is_same(small[one], small[other]):
                found[one] = found[other] = True
    return tuple(found)


def _small(rgb: Image, face: Face) -> Image:
    x0, y0, x1, y1 = face.box
    side = _AROUND_FACE * max(x1 - x0, y1 - y0) / 2
    across, down = (x0 + x1) / 2, (y0 + y1) / 2
    cut = _cut(rgb, (across - side, down - side, across + side, down + side))
    reduced = cv2.resize(cut, (_FACE_PX, _FACE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(reduced, cv2.COLOR_RGB2GRAY), np.uint8)


def _is_same(one: Image, other: Image) -> bool:
    inner = other[_SHIFT_PX:-_SHIFT_PX, _SHIFT_PX:-_SHIFT_PX]
    return any(
        cv2.matchTemplate(one, np.ascontiguousarray(view), cv2.TM_CCOEFF_NORMED).max() >= _SAME
        for view in (inner, inner[:, ::-1])
    )


def _has_seam(rgb: Image, faces: Sequence[Face], axis: int) -> bool:
    """Whether the picture jumps between two neighbours along an axis: 0 across, 1 down."""
    picture = rgb if axis == 0 else rgb.transpose(1, 0, 2)
    middles = sorted((face.box[axis] + face.box[axis + 2]) / 2 for face in faces)
    lines = np.linspace(0, len(picture) - 1, min(_SAMPLED, len(picture))).astype(int)
    first, last = max(0, int(middles[0])), int(middles[-1]) + 2
    steps = np.abs(np.diff(picture[lines, first:last].astype(np.int16), axis=1)).max(axis=2)
    beside = np.zeros_like(steps)
    beside[:, 2:] = steps[:, :-2]
    beside[:, :-2] = np.maximum(beside[:, :-2], steps[:, 2:])
    # A jump is as high as nothing near it: an edge of something soft is none.
    jumps = ((steps > _JUMP) & (steps > 2 * beside)).mean(axis=0)
    return any(
        jumps[int(one) - first : int(other) - first].max(initial=0) >= _SEAM
        for one, other in pairwise(max(middle, first) for middle in middles)
    )


def _is_framed(rgb: Image, face: Face) -> bool:
    """Whether four straight edges surround a face, and end at each other.

    Whoever stands before a window or a door hides the lower one.
    """
    upright, level, (x0, y0, x1, y1), scale = _edges_around(rgb, face)
    wide, high = x1 - x0, y1 - y0
    near = max(2.0, 0.04 * high)
    lefts = _covering(upright, (x0 - _SIDES * wide, x0 + 0.1 * wide), (y0, y1), near)
    rights = _covering(upright, (x1 - 0.1 * wide, x1 + _SIDES * wide), (y0, y1), near)
    largest = _MOST_OF_PHOTO * rgb.shape[0] * rgb.shape[1] * scale * scale
    for span in product(lefts, rights):
        uppers = _covering(level, (y0 - _ABOVE * high, y0 + 0.1 * high), span, near)
        lowers = _covering(level, (y1 - 0.05 * high, y1 + _BELOW * high), span, near)
        for ends in product(uppers, lowers):
            if area((span[0], ends[0], span[1], ends[1])) < largest and all(
                _covered(upright, side, ends, near) >= _SEEN for side in span
            ):
                return True
    return False


def _edges_around(rgb: Image, face: Face) -> tuple[Lines, Lines, Box, float]:
    """Straight edges around a face: upright ones, level ones, the face among them, their scale."""
    x0, y0, x1, y1 = face.box
    wide, high = x1 - x0, y1 - y0
    around = x0 - _SIDES * wide, y0 - _ABOVE * high, x1 + _SIDES * wide, y1 + _BELOW * high
    left, top, _, _ = _clipped(rgb, around)
    cut = _cut(rgb, around)
    scale = min(1.0, _FRAMED_FACE_PX / high)
    size = (max(8, round(cut.shape[1] * scale)), max(8, round(cut.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    found: Any = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE).detect(grey)[0]
    # OpenCV says None instead of none.
    segments = np.zeros((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(np.float64)
    here = face.shifted(-left, -top).scaled(scale, scale).box
    return _lines(segments, 1), _lines(segments, 0), here, scale


def _lines(segments: Lines, along: int) -> Lines:
    """Segments that run along an axis, 0 level or 1 upright.

    Args:
        segments: (N, 2, 2): both ends as (x, y).
        along: the axis.

    Returns:
        (M, 3): where they lie on the other axis, and where they begin and end on theirs.
    """
    length = np.abs(segments[:, 1] - segments[:, 0])
    straight = (length[:, along] > _SHORTEST_PX) & (length[:, 1 - along] < _TILT * length[:, along])
    across, ends = segments[straight][..., 1 - along], segments[straight][..., along]
    return np.column_stack([across.mean(axis=1), ends.min(axis=1), ends.max(axis=1)])


def _covering(
    lines: Lines, between: tuple[float, float], span: tuple[float, float], near: float
) -> list[float]:
    """Where, between two places, lines cover a span; in order."""
    places = lines[(lines[:, 0] >= between[0]) & (lines[:, 0] <= between[1]), 0]
    return [
        float(place)
        for place in np.unique(np.round(places))
        if _covered(lines, place, span, near) >= _SEEN
    ]


def _covered(lines: Lines, place: float, span: tuple[float, float], near: float) -> float:
    """The share of a span that lines near a place cover."""
    start, length = span[0], span[1] - span[0]
    if length <= 0:
        return 0.0
    seen = np.zeros(_PARTS, np.bool_)
    for _, first, last in lines[np.abs(lines[:, 0] - place) <= near]:
        begin = max(0, int(np.floor((first - start) / length * _PARTS)))
        seen[begin : max(0, int(np.ceil((last - start) / length * _PARTS)))] = True
    return float(seen.mean())


def _clipped(rgb: Image, box: Box) -> tuple[int, int, int, int]:
    height, width = rgb.shape[:2]
    x0, y0 = max(0, min(int(box[0]), width - 1)), max(0, min(int(box[1]), height - 1))
    return x0, y0, max(x0 + 1, min(int(box[2]), width)), max(y0 + 1, min(int(box[3]), height))


def _cut(rgb: Image, box: Box) -> Image:
    x0, y0, x1, y1 = _clipped(rgb, box)
    return np.ascontiguousarray(rgb[y0:y1, x0:x1])
