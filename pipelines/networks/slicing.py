"""Scores by what images are like, and the worst slice of a network: `evaluate --slices`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipelines.networks.attributes import Attributes
from pipelines.networks.looking import Look
from pipelines.pictures.skin import BANDS, band, band_limits
from pipelines.pictures.thirds import thirds
from pipelines.pictures.traits import BRIGHTNESS, FACE, SKIN_TONE, TITLES
from sinet.metrics import slice_means

LEAST: Final = 20
"""A slice of fewer images is shown, but cannot be the worst, and has no interval."""
FOUND, NOT_FOUND, NOT_MEASURED, NOT_GIVEN = "found", "not found", "not measured", "not given"
MEASURED: Final = (FACE, *TITLES, SKIN_TONE)
"""Traits that need no table."""


@dataclass(frozen=True, kw_only=True)
class ImageSlice:
    """Images that are alike in one trait.

    Attributes:
        trait: one of `MEASURED`, or a column of the table of attributes.
        value: what they are, in a word; None: a range of numbers.
        low: smallest number among them, or where a band of skin tones begins; None: a word.
        high: largest, or where it ends.
        names: of the images.
    """

    trait: str
    value: str | None = None
    low: float | None = None
    high: float | None = None
    names: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class SliceScore:
    """How a network does on a slice.

    Attributes:
        trait: see `ImageSlice`, like `value`, `low` and `high`.
        value: see there.
        low: see there.
        high: see there.
        images: how many.
        native_iou: their mean.
        native_iou_interval_95: of it, by bootstrap; None: there are fewer than `LEAST`.
    """

    trait: str
    value: str | None
    low: float | None
    high: float | None
    images: int
    native_iou: float
    native_iou_interval_95: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class WorstSlice:
    """The slice of at least `LEAST` images with the lowest mean.

    Its own interval does not know that it was chosen for being low; these do, see
    `sinet.metrics.worst`.

    Attributes:
        slice: it.
        lowest_interval_95: of the lowest true mean of all these slices.
        below_mean: the mean over all images less that of the slice.
        below_mean_interval_95: of the mean over all less the lowest true one.
        chosen_from: so many slices.
    """

    slice: SliceScore
    lowest_interval_95: tuple[float, float]
    below_mean: float
    below_mean_interval_95: tuple[float, float]
    chosen_from: int


@dataclass(frozen=True, kw_only=True)
class SliceScores:
    """All slices of one network's scores, and the worst; None: all are too small."""

    slices: Sequence[SliceScore]
    worst: WorstSlice | None


def slices_of(looks: Mapping[str, Look], attributes: Attributes | None) -> list[ImageSlice]:
    """Cut images by every trait.

    By the measured ones into thirds, by skin tone into the six bands, by those of a table into its
    words or thirds. Each image is in one slice of every trait, but without a face only in
    `face: not found`, in those of brightness and in those of the table.

    Args:
        looks: by the name of the image.
        attributes: of the same images.
    """
    seen = {name: each.traits for name, each in looks.items() if each.traits is not None}
    found = _by_word(FACE, {name: FOUND if name in seen else NOT_FOUND for name in looks})
    for trait in TITLES:
        values = {name: float(getattr(each, trait)) for name, each in seen.items()}
        if trait == BRIGHTNESS:
            values = {name: each.brightness for name, each in looks.items()}
        found += _by_number(trait, values)
    bands = {name: NOT_MEASURED if (ita := looks[name].skin) is None else band(ita)
             for name in seen}  # fmt: skip
    order = [name for name, _ in BANDS]
    for each in _by_word(SKIN_TONE, bands, [*order, NOT_MEASURED]):
        limits = band_limits(each.value) if each.value in order else (None, None)
        found.append(replace(each, low=limits[0], high=limits[1]))
    if attributes is not None:
        for trait, words in attributes.words.items():
            found += _by_word(trait, {name: words.get(name, NOT_GIVEN) for name in looks})
        for trait, numbers in attributes.numbers.items():
            found += _by_number(trait, numbers)
            rest = {name: NOT_GIVEN for name in looks if name not in numbers}
            found += _by_word(trait, rest)
    return found


def score_slices(slices: Sequence[ImageSlice], scores: Mapping[str, float]) -> SliceScores:
    """How a network does on each slice.

    Args:
        slices: of images, some of which may have no score; slices without any are left out.
        scores: native IoU by the name of the image.
    """
    cut = [replace(each, names=each.names & scores.keys()) for each in slices]
    cut = [each for each in cut if each.names]
    names = list(scores)
    inside = np.array([[name in each.names for name in names] for each in cut], np.bool_)
    found = slice_means([scores[name] for name in names], inside, least=LEAST)
    told = [
        SliceScore(
            trait=each.trait,
            value=each.value,
            low=each.low,
            high=each.high,
            images=len(each.names),
            native_iou=float(mean),
            native_iou_interval_95=(
                (float(interval[0]), float(interval[1])) if len(each.names) >= LEAST else None
            ),
        )
        for each, mean, interval in zip(cut, found.means, found.intervals, strict=True)
    ]
    if found.worst is None or found.lowest is None or found.below is None:
        return SliceScores(slices=told, worst=None)
    # Thirds hold all images: no mean over everything lies below all of theirs.
    nothing = min(0.0, found.below.difference)
    worst = WorstSlice(
        slice=told[found.worst],
        lowest_interval_95=(found.lowest.low, found.lowest.high),
        below_mean=found.below.difference,
        below_mean_interval_95=(max(nothing, found.below.low), found.below.high),
        chosen_from=sum(each.images >= LEAST for each in told),
    )
    return SliceScores(slices=told, worst=worst)


def _by_number(trait: str, values: Mapping[str, float]) -> list[ImageSlice]:
    return [
        ImageSlice(trait=trait, low=each.low, high=each.high, names=each.members)
        for each in thirds(values)
    ]


def _by_word(
    trait: str, words: Mapping[str, str], order: Collection[str] | None = None
) -> list[ImageSlice]:
    """Slices by word, in the order given, or in that of the alphabet, what is not known last."""
    there = set(words.values())
    if order is None:
        order = sorted(there, key=lambda word: (word in (NOT_FOUND, NOT_GIVEN), word))
    return [
        ImageSlice(
            trait=trait,
            value=word,
            names=frozenset(name for name, each in words.items() if each == word),
        )
        for word in order
        if word in there
    ]
