"""Quarter turns: pictures, and what is known of their pixels, set upright and back.

A rotation is in degrees clockwise: 0, 90, 180 or 270. Sizes are (width, height); points are
continuous, so the pixel in column x and row y has its middle at (x + 0.5, y + 0.5).
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.geometry import SIDEWAYS, Box, CropBox, Face, Point

Size = tuple[int, int]
_Scalar = TypeVar("_Scalar", bound=np.generic)


def rotated(pixels: NDArray[_Scalar], rotation: int) -> NDArray[_Scalar]:
    """Rotate an array of (H, W) or (H, W, channels), contiguous."""
    return np.ascontiguousarray(np.rot90(pixels, -(rotation // 90)))


def rotated_size(size: Size, rotation: int) -> Size:
    """Width and height after it."""
    return size[::-1] if rotation in SIDEWAYS else size


def rotated_point(point: Point, size: Size, rotation: int) -> Point:
    """Where a point of an image of this size is after it."""
    (x, y), (width, height) = point, size
    match rotation:
        case 90:
            return height - y, x
        case 180:
            return width - x, height - y
        case 270:
            return y, width - x
    return point


def rotated_box(box: Box, size: Size, rotation: int) -> Box:
    """Where a box of an image of this size is after it."""
    ends = [rotated_point(end, size, rotation) for end in (box[:2], box[2:])]
    (x0, x1), (y0, y1) = (sorted(axis) for axis in zip(*ends, strict=True))
    return x0, y0, x1, y1


def rotated_face(face: Face, size: Size, rotation: int) -> Face:
    """The same face in an image that is rotated: what is left until it stands upright, too."""
    return replace(
        face,
        box=rotated_box(face.box, size, rotation),
        landmarks=tuple(rotated_point(point, size, rotation) for point in face.landmarks),
        rotation=(face.rotation - rotation) % 360,
    )


@dataclass(frozen=True, slots=True)
class Crop:
    """Where a portrait lies in its photo, and how it was set upright.

    Attributes:
        box: in pixels of the photo, EXIF applied.
        rotation: of what was cut out there.
    """

    box: CropBox
    rotation: int = 0

    @property
    def size(self) -> Size:
        """Width and height of the portrait, upright."""
        return rotated_size(self._size_in_photo, self.rotation)

    def cut(self, photo: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """The portrait's part of the photo, or of anything with its height and width, upright."""
        x0, y0, x1, y1 = self.box
        return rotated(photo[y0:y1, x0:x1], self.rotation)

    def face(self, in_photo: Face) -> Face:
        """A face of the photo in pixels of the portrait."""
        moved = in_photo.shifted(-self.box[0], -self.box[1])
        return rotated_face(moved, self._size_in_photo, self.rotation)

    def box_in_photo(self, box: Box) -> Box:
        """A box of the portrait in pixels of the photo."""
        x0, y0, x1, y1 = rotated_box(box, self.size, -self.rotation % 360)
        left, top = self.box[:2]
        return x0 + left, y0 + top, x1 + left, y1 + top

    def pixel_in_photo(self, x: int, y: int) -> tuple[int, int]:
        """Column and row in the photo of a pixel of the portrait."""
        left, top, _, _ = self.box_in_photo((x, y, x + 1, y + 1))
        return int(left), int(top)

    def pixel_of_photo(self, x: int, y: int) -> tuple[int, int] | None:
        """Column and row in the portrait of a pixel of the photo; None: it is not in it."""
        x0, y0, x1, y1 = self.box
        if not (x0 <= x < x1 and y0 <= y < y1):
            return None
        moved = (x - x0, y - y0, x - x0 + 1, y - y0 + 1)
        left, top, _, _ = rotated_box(moved, self._size_in_photo, self.rotation)
        return int(left), int(top)

    @property
    def _size_in_photo(self) -> Size:
        x0, y0, x1, y1 = self.box
        return x1 - x0, y1 - y0


def crop_around(box: CropBox, size: Size, rotation: int) -> Crop:
    """The crop of a photo that has this box in the photo when it is rotated.

    Args:
        box: in pixels of the rotated photo.
        size: of the photo as it is.
        rotation: of the photo.
    """
    x0, y0, x1, y1 = rotated_box(box, rotated_size(size, rotation), -rotation % 360)
    return Crop((int(x0), int(y0), int(x1), int(y1)), rotation)
