"""The same image shown differently: the mean of the answers is better than one of them.

Where they differ, the network guesses.

Test-time views cost a forward pass each; all views of all crops go to the network in one call, so
that they are batched with the main pass where a network batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipelines.networks.base import Image, Probability, Teacher
from sinet.network_ref import VIEWS
from sinet.predict import PersonModel, predict_all

PASSES: Final = 4
"""Views of an image, as it is among them, each of which takes the network a pass."""

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

    def mean(self) -> Probability:
        """Mean of the four, (H, W) float32 in [0, 1]; of three where `larger` does not reach."""
        total = self.plain + self.mirrored + self.smaller
        number = np.full(total.shape, PASSES - 1, np.float32)
        inside = middle(total.shape)
        total[inside] += self.larger
        number[inside] += 1
        return np.asarray(total / number, np.float32)


class ViewedTeacher:
    """A teacher that is asked about all views of an image, and answers with their mean."""

    def __init__(self, teacher: Teacher) -> None:
        """Take the teacher."""
        self._teacher = teacher
        self.name = f"{VIEWS}{teacher.name}"

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`."""
        return [each.mean() for each in probability_views(self._teacher.person_probability, batch)]


class ViewedModel:
    """The same as `sinet` wants its models: for `evaluate` and `predict`."""

    def __init__(self, model: PersonModel) -> None:
        """Take the model."""
        self.model = model

    @property
    def parameters(self) -> int:
        """See `PersonModel`."""
        return self.model.parameters

    def person_at_input(self, image: Image) -> Probability:
        """See `PersonModel`; at the image's own size."""
        return self.people_at_input([image])[0]

    def people_at_input(self, images: Sequence[Image]) -> list[Probability]:
        """See `PersonModel`; each at its image's own size."""
        views = probability_views(lambda shown: predict_all(self.model, shown), images)
        return [each.mean() for each in views]


def probability_views(
    ask: Callable[[Sequence[Image]], list[Probability]], crops: Sequence[Image]
) -> list[Views]:
    """Ask a network about crops and their views.

    Args:
        ask: the network, as `Teacher.person_probability`.
        crops: RGB uint8 (H, W, 3) of any sizes.

    Returns:
        One for each crop. `plain` is what `ask(crops)` says.
    """
    mirrored = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]
    smaller = [_bordered(crop) for crop in crops]
    larger = [np.ascontiguousarray(crop[middle(crop.shape)]) for crop in crops]
    said = ask([*crops, *mirrored, *smaller, *larger])
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
