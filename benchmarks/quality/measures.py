"""What a ranking of masks is worth: pure functions of doubt and truth, with intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def auroc(bad: Bad, doubt: Doubt) -> float:
    """The probability that a bad mask is more doubtful than a good one; ties count half."""
    from scipy.stats import rankdata

    ranks, number = rankdata(doubt), int(bad.sum())
    return float((ranks[bad].sum() - number * (number + 1) / 2) / (number * (len(bad) - number)))


def bootstrap(bad: Bad, figure: Callable[[Bad, NDArray[np.int64]], float]) -> Interval:
    """Draw masks with replacement and compute a figure of the drawn ones.

    Args:
        bad: of all masks.
        figure: of bad[drawn] and drawn.
    """
    chance = np.random.default_rng(0)
    everything = np.arange(len(bad))
    found = []
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


def lift(bad: Bad, doubt: Doubt) -> float:
    """Bad masks among the 100 most doubtful ones, over those of as many in random order.

    Of sets below 1,000 masks, the most doubtful tenth.
    """
    first = min(100, len(bad) // 10)
    top = np.argsort(-doubt, kind="stable")[:first]
    return float(bad[top].mean() / bad.mean())


def acceptable(bad: Bad, doubt: Doubt, error: float) -> float:
    """The largest share of the masks, least doubtful first, of which at most `error` are bad."""
    in_order = bad[np.argsort(doubt, kind="stable")]
    sizes = np.arange(1, len(bad) + 1)
    fine = np.flatnonzero(np.cumsum(in_order) <= error * sizes)
    return float(sizes[fine[-1]] / len(bad)) if len(fine) else 0.0
