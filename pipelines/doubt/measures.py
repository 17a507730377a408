"""What a ranking of masks is worth: counts over masks whose truth is known."""

import numpy as np
from numpy.typing import NDArray


def auroc(bad: NDArray[np.bool_], doubt: NDArray[np.float64]) -> float:
    """The probability that a bad mask is more doubtful than a good one; ties count half.

    Args:
        bad: (N,) with at least one of each.
        doubt: (N,) higher for worse masks.
    """
    from scipy.stats import rankdata

    ranks, number = rankdata(doubt), int(bad.sum())
    return float((ranks[bad].sum() - number * (number + 1) / 2) / (number * (len(bad) - number)))


def lift(bad: NDArray[np.bool_], doubt: NDArray[np.float64]) -> float:
    """Bad masks among the 100 most doubtful ones, over those of as many in random order.

    Of sets below 1,000 masks, the most doubtful tenth.
    """
    first = max(1, min(100, len(bad) // 10))
    top = np.argsort(-doubt, kind="stable")[:first]
    return float(bad[top].mean() / bad.mean())


def acceptable(bad: NDArray[np.bool_], doubt: NDArray[np.float64], error: float) -> float:
    """The largest share of the masks, least doubtful first, of which at most `error` are bad."""
    in_order = bad[np.argsort(doubt, kind="stable")]
    sizes = np.arange(1, len(bad) + 1)
    fine = np.flatnonzero(np.cumsum(in_order) <= error * sizes)
    return float(sizes[fine[-1]] / len(bad)) if len(fine) else 0.0
