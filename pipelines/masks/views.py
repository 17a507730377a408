"""The same portrait shown differently: where the answers differ, the network guesses.

Test-time views cost a forward pass each; all views of all crops go to the teacher in one call, so
that they are batched with the main pass where a teacher batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipelines.masks.subject import Probability
from pipelines.networks.base import Image, Teacher

SMALLER, LARGER = 0.75, 4 / 3
"""The two scales: the portrait within a border, and the middle of the portrait alone."""


@dataclass(frozen=True)
class Views:
    """What a teacher says of one crop, shown in four ways.

    Attributes:
        plain: (H, W) float32 in [0, 1], as it is: the main pass.
        mirrored: (H, W), of the mirror image, mirrored back.
        smaller: (H, W), shown at 0.75 of the scale, within a border of repeated edge pixels.
        larger: (h, w), `middle(…)` alone, which fills the network's input at 4/3 of the scale.
    """

    plain: Probability
    mirrored: Probability
    smaller: Probability
    larger: Probability


def probability_views(teacher: Teacher, crops: Sequence[Image]) -> list[Views]:
    """Ask a teacher about crops and their views.

    Args:
        teacher: any.
        crops: RGB uint8 (H, W, 3) of any sizes.

    Returns:
        One for each crop. `plain` is what `teacher.person_probability(crops)` says.
    """
    mirrored = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]
    smaller = [_bordered(crop) for crop in crops]
    larger = [np.ascontiguousarray(crop[middle(crop.shape)]) for crop in crops]
    said = teacher.person_probability([*crops, *mirrored, *smaller, *larger])
    number = len(crops)
    return [
        Views(
            plain=said[index],
            mirrored=np.ascontiguousarray(said[number + index][:, ::-1]),
            smaller=_without_border(said[2 * number + index], crop),
            larger=said[3 * number + index],
        )
        for index, crop in enumerate(crops)
    ]


def middle(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The middle of an array: rows and columns of `1 / LARGER` of its sides, never empty."""
    height, width = shape[:2]
    rows, columns = round(height * (1 - 1 / LARGER) / 2), round(width * (1 - 1 / LARGER) / 2)
    return slice(rows, max(rows + 1, height - rows)), slice(
        columns, max(columns + 1, width - columns)
    )


def _border(side: int) -> int:
    """Pixels to add at either end of a side so that it fills `SMALLER` of the whole."""
    return round(side * (1 / SMALLER - 1) / 2)


def _bordered(crop: Image) -> Image:
    rows, columns = _border(crop.shape[0]), _border(crop.shape[1])
    bordered = cv2.copyMakeBorder(crop, rows, rows, columns, columns, cv2.BORDER_REPLICATE)
    return np.asarray(bordered, np.uint8)


def _without_border(probability: Probability, crop: Image) -> Probability:
    height, width = crop.shape[:2]
    rows, columns = _border(height), _border(width)
    return np.ascontiguousarray(probability[rows : rows + height, columns : columns + width])
