"""Figures of a ranking with their intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.doubt.measures import auroc

Doubt = NDArray[np.float64]
Bad = NDArray[np.bool_]
DRAWS = 2_000


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % percentile bootstrap interval over masks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap(bad: Bad, figure: Callable[[Bad, NDArray[np.int64]], float]) -> Interval:
    """Draw masks with replacement and compute a figure of the drawn ones.

    Args:
        bad: of all masks.
        figure: of bad[drawn] and drawn.
    """
    chance = np.random.default_rng(0)
    everything = np.arange(len(bad))
    found: list[float] = []
    while len(found) < DRAWS:
        drawn = chance.integers(0, len(bad), len(bad))
        if 0 < bad[drawn].sum() < len(bad):
            found.append(figure(bad[drawn], drawn))
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(figure(bad, everything), float(low), float(high))


def auroc_interval(bad: Bad, doubt: Doubt) -> Interval:
    """AUROC with its interval."""
    return bootstrap(bad, lambda truth, drawn: auroc(truth, doubt[drawn]))


def gain(bad: Bad, doubt: Doubt, reference: Doubt) -> Interval:
    """How much larger an AUROC is than another's on the same masks."""
    return bootstrap(
        bad, lambda truth, drawn: auroc(truth, doubt[drawn]) - auroc(truth, reference[drawn])
    )
