"""Boxes.

Everywhere in the engine a box is (x0, y0, x1, y1), right and bottom exclusive, in pixels of the
EXIF-upright image; a crop box is whole pixels, a face box is not. What is stored of faces that lie
in it is in its pixels, too, with the rotation that sets them upright.
"""

import math
from dataclasses import dataclass, replace

from pipelines.workspace.settings import PortraitSettings

Box = tuple[float, float, float, float]
CropBox = tuple[int, int, int, int]
Point = tuple[float, float]

SIDEWAYS = (90, 270)
"""Rotations that swap width and height."""


@dataclass(frozen=True)
class Face:
    """A face as the detector saw it.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the image, not clipped to it.
        landmarks: left eye, right eye, nose, left and right corner of the mouth, as (x, y).
        confidence: the detector's probability, in [0, 1].
        rotation: degrees clockwise by which the image has to be rotated for the face to stand
            upright: 0, 90, 180 or 270.
    """

    box: Box
    landmarks: tuple[Point, ...]
    confidence: float
    rotation: int = 0

    @property
    def height(self) -> float:
        """From forehead to chin, in pixels: of the box of a face that stands upright."""
        x0, y0, x1, y1 = self.box
        return x1 - x0 if self.rotation in SIDEWAYS else y1 - y0

    def shifted(self, dx: float, dy: float) -> "Face":
        """The same face in coordinates moved by (dx, dy): an image's face within its crop."""
        x0, y0, x1, y1 = self.box
        return replace(
            self,
            box=(x0 + dx, y0 + dy, x1 + dx, y1 + dy),
            landmarks=tuple((x + dx, y + dy) for x, y in self.landmarks),
        )

    def scaled(self, across: float, down: float) -> "Face":
        """The same face in an image stretched by these factors."""
        x0, y0, x1, y1 = self.box
        return replace(
            self,
            box=(x0 * across, y0 * down, x1 * across, y1 * down),
            landmarks=tuple((x * across, y * down) for x, y in self.landmarks),
        )


def face_window(face: Face, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the face box within an array of this shape (never empty)."""
    height, width = shape[:2]
    x0, y0, x1, y1 = face.box
    top, left = min(max(int(y0), 0), height - 1), min(max(int(x0), 0), width - 1)
    return (
        slice(top, max(top + 1, min(round(y1), height))),
        slice(left, max(left + 1, min(round(x1), width))),
    )


def portrait_box(face: Face, width: int, height: int, settings: PortraitSettings) -> CropBox:
    """Enlarge a face box to a portrait (SINet paper, section 3.4).

    The face must stand upright. The crop is `height_in_faces` face heights high, `aspect` times as
    wide, centred on the face horizontally, with `headroom_in_faces` face heights above the face
    box; then rounded to whole pixels and clipped to the image, so that float noise of the detector
    cannot move a crop.

    Args:
        face: in pixels of an image of `width` × `height`.
        width: of the image, in pixels.
        height: of the image, in pixels.
        settings: proportions of the crop.

    Returns:
        x0, y0, x1, y1, right and bottom exclusive, at least one pixel in each direction.
    """
    x0, y0, x1, _ = face.box
    crop_height = settings.height_in_faces * face.height
    crop_width = settings.aspect * crop_height
    centre = (x0 + x1) / 2
    top = y0 - settings.headroom_in_faces * face.height
    left = _clip(centre - crop_width / 2, 0, width - 1)
    upper = _clip(top, 0, height - 1)
    return (
        left,
        upper,
        max(left + 1, _clip(centre + crop_width / 2, 1, width)),
        max(upper + 1, _clip(top + crop_height, 1, height)),
    )


def intersection(a: Box, b: Box) -> Box | None:
    """The common part of two boxes; None where they do not overlap."""
    x0, y0, x1, y1 = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def area(box: Box | None) -> float:
    """Area of a box in square pixels; 0 for None."""
    return (box[2] - box[0]) * (box[3] - box[1]) if box else 0.0


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]; 0 where both are empty."""
    common = area(intersection(a, b))
    union = area(a) + area(b) - common
    return common / union if union > 0 else 0.0


def _clip(value: float, low: int, high: int) -> int:
    return min(max(math.floor(value + 0.5), low), high)
