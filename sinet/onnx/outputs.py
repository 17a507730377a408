"""Which output of a network is the map of the person, and how its axes lie."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

PERSON_OF: Final = {1: 0, 2: 1, 21: 15}
"""Channel of the person by the number of channels; 21 are those of Pascal VOC."""

# A map has its picture's proportions, but for what strides and rounding cost small ones.
_PROPORTION: Final = 0.4


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """How a raw output is read as planes.

    Attributes:
        has_batch: the first axis counts pictures; the first one is taken.
        squeezed: axes of length 1, after that, that mean nothing.
        channel_axis: of what is left; None: there are only rows and columns.
    """

    has_batch: bool
    squeezed: tuple[int, ...]
    channel_axis: int | None

    @property
    def is_plain(self) -> bool:
        """Whether it is (N, C, H, W)."""
        return self.has_batch and not self.squeezed and self.channel_axis == 0

    def planes(self, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (C, h, w) of a raw output."""
        first = raw[0] if self.has_batch else raw
        left = np.squeeze(first, self.squeezed)
        return left[None] if self.channel_axis is None else np.moveaxis(left, self.channel_axis, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """An output that is a map of the picture.

    Attributes:
        name: of it.
        view: how it is read.
        planes: (C, h, w) of the probe.
    """

    name: str
    view: View
    planes: npt.NDArray[Any]

    @property
    def is_class_map(self) -> bool:
        """Whether its values are numbers of classes."""
        return len(self.planes) == 1 and self.planes.dtype.kind in "iub"


def view_of(
    shape: tuple[int, ...], batch: int, size: tuple[int, int], *, channels_last: bool
) -> View | None:
    """Find rows and columns in an output's shape by the proportions of the input.

    Args:
        shape: of the raw output.
        batch: pictures in the input.
        size: height and width of the input.
        channels_last: of the input; decides only where the proportions fit both ways.

    Returns:
        None: it is no map.
    """
    has_batch = len(shape) > 2 and shape[0] == batch
    rest = shape[1:] if has_batch else shape
    squeezed = () if len(rest) == 3 else tuple(np.flatnonzero(np.equal(rest, 1)).tolist())
    left = [length for axis, length in enumerate(rest) if axis not in squeezed]
    if len(left) == 2:
        ways: list[tuple[int | None, int, int]] = [(None, left[0], left[1])]
    elif len(left) == 3:
        ways = [(0, left[1], left[2]), (2, left[0], left[1])]
        if channels_last:
            ways.reverse()
    else:
        return None
    ways = [way for way in ways if min(way[1:]) > 1]
    if not ways:
        return None
    axis, rows, columns = min(ways, key=lambda way: _mismatch(way[1:], size))
    if _mismatch((rows, columns), size) > _PROPORTION:
        return None
    return View(has_batch=has_batch, squeezed=squeezed, channel_axis=axis)


def choose(
    raw: Mapping[str, Any],
    batch: int,
    size: tuple[int, int],
    *,
    channels_last: bool,
    person_index: int | None,
) -> Output | None:
    """Return the output that is most likely the person's: of a known number of classes, largest.

    Args:
        raw: name → output of the probe, in the network's order.
        batch: pictures in the input.
        size: height and width of the input.
        channels_last: of the input.
        person_index: that was said; an output without this channel will not do then.
    """

    def rank(output: Output) -> tuple[bool, bool, bool, int]:
        classes = len(output.planes)
        has_person = person_index is None or classes > person_index or output.is_class_map
        return (
            has_person,
            classes in PERSON_OF or output.is_class_map,
            output.planes.dtype.kind == "f",  # what a map of classes was chosen from tells more
            math.prod(output.planes.shape[1:]),
        )

    found = [
        Output(name=name, view=view, planes=view.planes(array))
        for name, array in raw.items()
        if isinstance(array, np.ndarray)  # there are sequences and dictionaries, too
        and array.dtype.kind in "fiub"
        and (view := view_of(array.shape, batch, size, channels_last=channels_last))
    ]
    return max(found, key=rank, default=None)


def _mismatch(found: tuple[int, ...], size: tuple[int, int]) -> float:
    """How far proportions differ: the logarithm of the factor."""
    return abs(math.log((found[0] * size[1]) / (found[1] * size[0])))
