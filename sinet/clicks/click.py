"""A click on a picture, and clicks as a network reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

RADIUS: Final = 1 / 48
"""Of the disc that a click becomes, as a share of the input's side."""

_SUBPIXEL_BITS: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Click:
    """A place, and what is there.

    Attributes:
        x: from the left, 0..1 of the width.
        y: from the top, 0..1 of the height.
        positive: it belongs to the person.

    Raises:
        ValueError: a place outside the picture, or none.
    """

    x: float
    y: float
    positive: bool

    def __post_init__(self) -> None:
        if not (0 <= self.x <= 1 and 0 <= self.y <= 1):  # false of NaN, too
            raise ValueError(f"a click at ({self.x}, {self.y}) is outside the picture.")

    def pixel(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Row and column in an array of this height and width."""
        height, width = shape[:2]
        return min(height - 1, int(self.y * height)), min(width - 1, int(self.x * width))


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A rectangle around the person: all of the person is in it.

    Attributes:
        x: of its left side, 0..1 of the width.
        y: of its upper side, 0..1 of the height.
        width: 0..1 of the picture's.
        height: 0..1 of the picture's.

    Raises:
        ValueError: it is empty, or not in the picture.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        sides = (self.x, self.y, self.width, self.height)
        inside = all(0 <= each <= 1 for each in sides)  # false of NaN, too
        # A little more than 1 is what sums of shares come to.
        inside = inside and max(self.x + self.width, self.y + self.height) <= 1 + 1e-6
        if not inside or min(self.width, self.height) <= 0:
            raise ValueError(f"a box {sides} is empty, or not in the picture.")

    @property
    def middle(self) -> Click:
        """A positive click in its middle."""
        return Click(
            x=min(1.0, self.x + self.width / 2),
            y=min(1.0, self.y + self.height / 2),
            positive=True,
        )

    def covers(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The pixels in it, bool (H, W) of this height and width."""
        height, width = shape
        inside = np.zeros(shape, np.bool_)
        rows = slice(int(self.y * height), -int(-(self.y + self.height) * height // 1))
        columns = slice(int(self.x * width), -int(-(self.x + self.width) * width // 1))
        inside[rows, columns] = True
        return inside


Mark: TypeAlias = Click | Box
"""What a person says of a mask."""


def click_maps(clicks: Sequence[Click], side: int) -> NDArray[np.float32]:
    """Draw clicks as discs.

    Args:
        clicks: in any order.
        side: of the square that the picture is brought to.

    Returns:
        float32 (2, side, side), 0 or 1: the positive clicks, and the negative ones.
    """
    maps = np.zeros((2, side, side), np.float32)
    fine = 1 << _SUBPIXEL_BITS
    for click in clicks:
        centre = tuple(round((each * side - 0.5) * fine) for each in (click.x, click.y))
        cv2.circle(
            maps[0 if click.positive else 1],
            centre,
            round(RADIUS * side * fine),
            1.0,
            cv2.FILLED,
            shift=_SUBPIXEL_BITS,
        )
    return maps
