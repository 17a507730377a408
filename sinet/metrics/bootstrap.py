"""How sure a difference between two models is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_DRAWS_AT_ONCE = 1000


class Interval(NamedTuple):
    """A mean difference and where its true value probably lies."""

    difference: float
    low: float
    high: float


def paired_bootstrap(
    scores: Sequence[float],
    reference: Sequence[float],
    *,
    groups: Sequence[int] | None = None,
    confidence: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Return the mean of scores − reference with its percentile bootstrap interval.

    Args:
        scores: of one model, one an image.
        reference: of another, of the same images in the same order.
        groups: of images that are not independent, such as near-duplicates, one number an image:
            whole groups are drawn. None: every image is a group.
        confidence: of the interval.
        draws: of as many groups with replacement.
        seed: of the draws.

    Raises:
        ValueError: there are no scores, or not as many of either or of the groups.
    """
    if len(scores) != len(reference) or not scores:
        raise ValueError(f"{len(scores)} scores do not pair with {len(reference)}.")
    if groups is not None and len(groups) != len(scores):
        raise ValueError(f"{len(groups)} groups do not belong to {len(scores)} scores.")
    differences = np.asarray(scores, np.float64) - np.asarray(reference, np.float64)
    members = np.arange(differences.size)
    if groups is not None:
        members = np.unique(np.asarray(groups), return_inverse=True)[1]
    sums, sizes = np.bincount(members, differences), np.bincount(members)
    rng = np.random.default_rng(seed)
    means = []
    for done in range(0, draws, _DRAWS_AT_ONCE):
        drawn = rng.integers(sums.size, size=(min(_DRAWS_AT_ONCE, draws - done), sums.size))
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), (tail, 1 - tail))
    return Interval(float(differences.mean()), float(low), float(high))
