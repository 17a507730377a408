"""Up to which doubt masks may be accepted: chosen on reviewed masks, proven by a fresh audit."""

import numpy as np
from numpy.typing import NDArray

SAFETY = 0.5
"""Part of the bound that the accepted masks' estimated error may reach: the default audit passes a
set of half the bound in 80 % of cases."""


def choose_threshold(
    doubt: NDArray[np.float64], bad: NDArray[np.bool_], max_error: float, safety: float = SAFETY
) -> float | None:
    """The largest doubt up to which reviewed masks look good enough.

    Choosing is allowed to be wrong: whatever it chooses must pass an audit of its own.

    Args:
        doubt: (N,) of reviewed masks, by a model that was fitted without them.
        bad: (N,) what reviewers found.
        max_error: the bound to be proven, in (0, 1).
        safety: part of it that the estimate, (bad + ½) / (reviewed + 1), may reach.

    Returns:
        The threshold, inclusive; None where not even the least doubtful masks look good enough.
    """
    order = np.argsort(doubt, kind="stable")
    ranked, found = doubt[order], np.cumsum(bad[order])
    estimate = (found + 0.5) / (np.arange(1, len(doubt) + 1) + 1)
    # Masks of equal doubt are accepted together.
    last_of_equal = np.append(ranked[1:] > ranked[:-1], True) if len(ranked) else np.zeros(0, bool)
    fine = np.flatnonzero((estimate <= safety * max_error) & last_of_equal)
    return float(ranked[fine[-1]]) if len(fine) else None
