"""Thirds of anything by a number: each has enough members to say something, whatever it is."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

PARTS: Final = 3

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class Third(Generic[_Key]):
    """What has like values.

    Attributes:
        low: smallest value among them.
        high: largest.
        members: their keys.
    """

    low: float
    high: float
    members: frozenset[_Key]


def thirds(values: Mapping[_Key, float]) -> list[Third[_Key]]:
    """Cut into thirds, from low to high; fewer where many share a value, none of nothing."""
    if not values:
        return []
    import numpy as np

    keys = list(values)
    numbers = np.array([values[key] for key in keys], np.float64)
    limits = np.quantile(numbers, np.arange(1, PARTS) / PARTS)
    part = np.searchsorted(limits, numbers, side="right")
    found = []
    for each in np.unique(part):
        chosen = np.flatnonzero(part == each)
        members = frozenset(keys[int(number)] for number in chosen)
        found.append(Third(float(numbers[chosen].min()), float(numbers[chosen].max()), members))
    return found
