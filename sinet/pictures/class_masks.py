"""Masks of many classes, as `masks` reads those of a person: what a level, index or colour means.

The classes are known beforehand: nothing is guessed, and what is no class is refused.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sinet.errors import PictureError
from sinet.labels import IGNORED
from sinet.pictures.decode import load
from sinet.pictures.masks import VOC_COLOURS, as_rgb, packed, palette_of

_NAMED: Final = 5
_UNKNOWN: Final = 254


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassList:
    """The classes of a data set; a class is known by its place.

    Attributes:
        names: of the classes; at most 254.
        colours: 0xRRGGBB of each, where masks are in colour; empty: they are not known.
        levels: grey level or palette index of each; empty: its place.
        ignored: levels that count for nothing; None: all that are no class.
    """

    names: tuple[str, ...]
    colours: tuple[int, ...] = ()
    levels: tuple[int, ...] = ()
    ignored: tuple[int, ...] | None = (IGNORED,)

    @property
    def of_levels(self) -> tuple[int, ...]:
        """Level of each class."""
        return self.levels or tuple(range(len(self.names)))


class ClassMask(NamedTuple):
    """A mask as it is stored."""

    labels: npt.NDArray[np.uint8]  # (H, W): the class, or `IGNORED`
    how: str  # it was read, in words


def read_class_mask(data: bytes, classes: ClassList) -> ClassMask:
    """Read a mask file.

    Args:
        data: the content of the file.
        classes: that it may have.

    Raises:
        PictureError: as `decode`, or `mask_unknown_class`: it has what is no class.
    """
    image = load(data)
    if image.mode in ("P", "PA"):
        indices = np.asarray(image.getchannel(0) if image.mode == "PA" else image)
        palette = palette_of(image)
        colours = {palette[index] for index in np.unique(indices)}
        if classes.colours and colours <= {*classes.colours, VOC_COLOURS[IGNORED]}:
            table = np.array([_of_colour(colour, classes.colours) for colour in palette], np.uint8)
            return ClassMask(table[indices], "colours of a palette")
        return ClassMask(_of_levels(indices, classes), "indices of a palette")
    if image.mode in ("1", "L", "I") or image.mode.startswith("I;16"):
        values = np.asarray(image.convert("L") if image.mode == "1" else image)
        return ClassMask(_of_levels(values, classes), "grey levels")
    channels = np.asarray(as_rgb(image))
    if (channels == channels[..., :1]).all() and not classes.colours:
        return ClassMask(_of_levels(channels[..., 0], classes), "grey levels")
    return ClassMask(_of_colours(channels, classes), "colours")


def _of_levels(values: npt.NDArray[np.generic], classes: ClassList) -> npt.NDArray[np.uint8]:
    found = [int(value) for value in np.unique(values)]
    known = {level: number for number, level in enumerate(classes.of_levels)}
    ignored = found if classes.ignored is None else classes.ignored
    unknown = [value for value in found if value not in known and value not in ignored]
    if unknown:
        more = "" if len(unknown) <= _NAMED else f" and {len(unknown) - _NAMED} more"
        raise _no_class(f"level {', '.join(map(str, unknown[:_NAMED]))}{more}", classes)
    labels = np.full(values.shape, IGNORED, np.uint8)
    for value in found:
        if value in known:
            labels[values == value] = known[value]
    return labels


def _of_colours(channels: npt.NDArray[np.uint8], classes: ClassList) -> npt.NDArray[np.uint8]:
    colours = packed(channels)
    # PASCAL VOC's, where nothing else is said.
    wanted = classes.colours or VOC_COLOURS[: len(classes.names)]
    found, places = np.unique(colours, return_inverse=True)
    table = np.array([_of_colour(int(colour), wanted) for colour in found], np.uint8)
    if (table == _UNKNOWN).any():
        unknown = [f"#{colour:06x}" for colour in found[table == _UNKNOWN][:_NAMED]]
        hint = "" if classes.colours else "; say them as `name #rrggbb` in classes.txt"
        raise _no_class(f"colour {', '.join(unknown)}", classes, hint)
    return table[places.reshape(colours.shape)]


def _of_colour(colour: int, wanted: tuple[int, ...]) -> int:
    if colour in wanted:
        return wanted.index(colour)
    return IGNORED if colour == VOC_COLOURS[IGNORED] else _UNKNOWN


def _no_class(seen: str, classes: ClassList, hint: str = "") -> PictureError:
    number = len(classes.names)
    message = f"the mask has {seen}, which is none of the {number} classes'{hint}."
    return PictureError("mask_unknown_class", message)
