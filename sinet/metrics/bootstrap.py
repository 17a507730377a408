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
    confidence: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Return the mean of scores − reference with its percentile bootstrap interval.

    Args:
        scores: of one model, one an image.
        reference: of another, of the same images in the same order.
        confidence: of the interval.
        draws: of as many images with replacement.
        seed: of the draws.

    Raises:
        ValueError: there are no scores, or not as many of either.
    """
    if len(scores) != len(reference) or not scores:
        raise ValueError(f"{len(scores)} scores do not pair with {len(reference)}.")
    differences = np.asarray(scores, np.float64) - np.asarray(reference, np.float64)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            rng.choice(differences, (min(_DRAWS_AT_ONCE, draws - done), differences.size)).mean(1)
            for done in range(0, draws, _DRAWS_AT_ONCE)
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(float(differences.mean()), float(low), float(high))
