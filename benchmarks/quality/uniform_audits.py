"""The method of `certify` before audits by doubt, to compare with: audits drawn uniformly, at once.

A threshold is chosen so that reviewed masks below it are bad half as often as the bound allows; the
audit of all masks below it is so large that a set of half the bound passes with 80 %, and is judged
once, by the exact (hypergeometric) test. After a failure a new threshold and a new audit, at half
the alpha.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.known_crawls import ALPHA, ATTEMPTS, Crawl, Outcome
from pipelines.certify.certificate import alpha_of_attempt, audit_size, judge_audit

SAFETY = 0.5
"""Part of the bound that the accepted masks' estimated error may reach."""


def choose_threshold(
    doubt: NDArray[np.float64], bad: NDArray[np.bool_], max_error: float, safety: float = SAFETY
) -> float | None:
    """The largest doubt up to which reviewed masks look good enough.

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


def certify(crawl: Crawl, kind: str, max_error: float, chance: np.random.Generator) -> Outcome:
    """Run the procedure to its end."""
    left = np.ones(len(crawl.bad), np.bool_)
    seen_doubt, seen_bad = crawl.reviewed_doubt, crawl.reviewed_bad
    highest, attempts, asked, true_error = math.inf, 0, 0, 0.0
    for number in range(1, ATTEMPTS + 1):
        threshold = math.inf if crawl.forced else choose_threshold(seen_doubt, seen_bad, max_error)
        if threshold is None:
            break
        highest = min(highest, threshold)
        listed = np.flatnonzero(left & (crawl.doubt <= highest))
        if len(listed) < 50:
            break
        attempts, alpha = number, alpha_of_attempt(ALPHA, number)
        planned = _size_of_audit(max_error, alpha, len(listed))
        audit = chance.choice(listed, planned, replace=False)
        asked += planned
        true_error = float(crawl.bad[listed].mean())
        judgement = judge_audit(
            errors=int(crawl.bad[audit].sum()),
            audited=planned,
            planned=planned,
            population=len(listed),
            max_error=max_error,
            alpha=alpha,
        )
        if judgement.certified:
            unseen = len(listed) - planned
            left_bad = int(crawl.bad[listed].sum() - crawl.bad[audit].sum())
            return Outcome(crawl, kind, max_error, number, asked, unseen, true_error, left_bad)
        left[audit] = False
        within = seen_doubt <= highest  # the audit was drawn from here alone
        seen_doubt = np.append(seen_doubt[within], crawl.doubt[audit])
        seen_bad = np.append(seen_bad[within], crawl.bad[audit])
    return Outcome(crawl, kind, max_error, attempts, asked, None, true_error)


def _size_of_audit(max_error: float, alpha: float, population: int) -> int:
    """The default audit; sets of nearly the same size share one, to save time."""
    digits = 10 ** max(0, len(str(population)) - 2)
    return min(population, _audit_size(max_error, alpha, math.ceil(population / digits) * digits))


@cache
def _audit_size(max_error: float, alpha: float, population: int) -> int:
    return audit_size(max_error, alpha, population=population)
