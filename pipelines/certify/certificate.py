"""What an audit proves about a finite, listed set of masks: exact bounds, sizes, power, attempts.

The set is certified if, were more than `max_error` of its masks bad, an audit with as few errors
as this one would come with a probability of at most alpha. The audit is drawn uniformly without
replacement from the set, so the number of errors in it is hypergeometric; for a set without a
known end it is binomial, and the bound is Clopper and Pearson's. Distributions are SciPy's.
"""

import math
from dataclasses import dataclass

import numpy as np

DEFAULT_POWER = 0.8
_LARGEST_AUDIT = 100_000


@dataclass(frozen=True)
class Judgement:
    """What an audit says.

    Attributes:
        certified: the set may be accepted.
        audited: masks that were judged.
        errors: bad ones among them.
        bound: upper bound on the share of bad masks in the set at confidence 1 − alpha, in [0, 1].
        alpha: the probability of error that this attempt may spend.
        missing: what stands in the way, in words; None where nothing does.
        hopeless: no further answer can help.
    """

    certified: bool
    audited: int
    errors: int
    bound: float
    alpha: float
    missing: str | None
    hopeless: bool


def upper_bound(
    errors: int,
    audited: int,
    alpha: float,
    population: int | None = None,
    *,
    missed: float = 0.0,
) -> float:
    """Upper confidence bound on the share of bad masks.

    Args:
        errors: bad masks found in the audit.
        audited: masks in the audit.
        alpha: 1 − confidence, in (0, 1).
        population: size of the set, audited masks included; None: unlimited (Clopper-Pearson).
        missed: the probability that a bad mask in the audit is not found, in [0, 1].

    Returns:
        In [0, 1]; 1 for an empty audit.
    """
    _check(errors, audited, alpha, population)
    if audited == 0 or missed >= 1:
        return 1.0
    if population is None:
        from scipy.stats import beta

        if errors == audited:
            return 1.0
        found = float(beta.ppf(1 - alpha, errors + 1, audited - errors))
        return min(1.0, found / (1 - missed))
    # The largest number of bad masks that this audit does not rule out.
    low, high = errors, population - (0 if missed else audited - errors)
    while low < high:
        middle = (low + high + 1) // 2
        if _at_most(errors, audited, middle, population, missed) > alpha:
            low = middle
        else:
            high = middle - 1
    return low / population


def allowed_errors(
    audited: int, max_error: float, alpha: float, population: int | None = None
) -> int:
    """How many errors an audit may find and still certify; −1 if it is too small for any.

    Args:
        audited: masks in the audit.
        max_error: the bound to be proven, in (0, 1).
        alpha: 1 − confidence.
        population: size of the set; None: unlimited.
    """
    low, high = -1, math.floor(max_error * audited) + 1
    while low < high:
        middle = (low + high + 1) // 2
        if middle <= audited and proves(middle, audited, max_error, alpha, population):
            low = middle
        else:
            high = middle - 1
    return low


def proves(
    errors: int, audited: int, max_error: float, alpha: float, population: int | None = None
) -> bool:
    """Whether an audit with so many errors certifies: the exact test at its edge."""
    _check(errors, audited, alpha, population)
    if population is None:
        from scipy.stats import binom

        return bool(binom.cdf(errors, audited, max_error) <= alpha)
    # The best of the sets that are not good enough; the margin takes back floating point's.
    too_many = math.floor(max_error * population + 1e-9) + 1
    return _at_most(errors, audited, too_many, population) <= alpha


def power(
    audited: int,
    true_error: float,
    max_error: float,
    alpha: float,
    population: int | None = None,
) -> float:
    """The probability that an audit of this size certifies a set of this true error.

    Args:
        audited: masks in the audit.
        true_error: share of bad masks in the set, in [0, 1].
        max_error: the bound to be proven.
        alpha: 1 − confidence.
        population: size of the set; None: unlimited.
    """
    allowed = allowed_errors(audited, max_error, alpha, population)
    if allowed < 0:
        return 0.0
    if population is None:
        from scipy.stats import binom

        return float(binom.cdf(allowed, audited, true_error))
    return _at_most(allowed, audited, round(true_error * population), population)


def audit_size(
    max_error: float,
    alpha: float,
    *,
    wanted_power: float = DEFAULT_POWER,
    true_error: float | None = None,
    population: int | None = None,
) -> int:
    """The smallest audit that certifies a set of this true error as often as wanted.

    Args:
        max_error: the bound to be proven.
        alpha: 1 − confidence.
        wanted_power: in [0, 1].
        true_error: of the set; default half the bound. 0: the smallest audit that can succeed.
        population: size of the set; None: unlimited.

    Returns:
        Masks to audit; the whole set where nothing less will do.
    """
    assumed = max_error / 2 if true_error is None else true_error
    limit = _LARGEST_AUDIT if population is None else population
    # For each number of errors the smallest audit that may have it; the first with enough power.
    size = 1
    for errors in range(limit):
        size = _smallest_with(errors, max_error, alpha, population, size, limit)
        if size >= limit or power(size, assumed, max_error, alpha, population) >= wanted_power:
            return size
    return limit


def alpha_of_attempt(alpha: float, number: int) -> float:
    """What the n-th attempt (1, 2, …) on a crawl may spend: α/2, α/4 and so on.

    All attempts together spend less than alpha, however many there are: by the union bound, trying
    again cannot buy a certificate. It holds whatever was learnt from the attempts before, as long
    as each draws a fresh audit.
    """
    if number < 1:
        raise ValueError("attempts count from 1")
    return float(alpha / 2**number)


def judge_audit(
    *,
    errors: int,
    audited: int,
    planned: int,
    population: int,
    max_error: float,
    alpha: float,
) -> Judgement:
    """Judge an audit, or say what is missing.

    Args:
        errors: bad masks found; a question that cannot be answered any more counts as one.
        audited: questions that were answered.
        planned: questions that were drawn: nothing is accepted before all are answered, since
            whoever stops at a good moment has proven nothing.
        population: size of the set.
        max_error: the bound to be proven.
        alpha: what this attempt may spend.
    """
    bound = upper_bound(errors, audited, alpha, population)
    allowed = allowed_errors(planned, max_error, alpha, population)
    missing = None
    if errors > allowed:
        missing = (
            f"{errors} of {audited} audited masks are bad, {max(allowed, 0)} may be at most: "
            "this set cannot be certified"
            if allowed >= 0
            else f"an audit of {planned} masks proves nothing: it takes at least "
            f"{audit_size(max_error, alpha, true_error=0, population=population)}"
        )
    elif audited < planned:
        missing = f"{planned - audited} of {planned} audit answers are missing"
    return Judgement(missing is None, audited, errors, bound, alpha, missing, errors > allowed)


def _smallest_with(
    errors: int, max_error: float, alpha: float, population: int | None, low: int, high: int
) -> int:
    """The smallest audit in low…high that certifies with so many errors; `high` if none does."""
    low = max(low, errors + 1)
    while low < high:
        middle = (low + high) // 2
        if proves(errors, middle, max_error, alpha, population):
            high = middle
        else:
            low = middle + 1
    return high


def _at_most(errors: int, audited: int, bad: int, population: int, missed: float = 0.0) -> float:
    """The probability that an audit of a set with so many bad masks finds at most `errors`."""
    from scipy.stats import binom, hypergeom

    if not missed:
        return float(hypergeom.cdf(errors, population, bad, audited))
    drawn = np.arange(min(audited, bad) + 1)  # bad ones in the audit, of which some are found
    chance = hypergeom.pmf(drawn, population, bad, audited)
    return float(chance @ binom.cdf(errors, drawn, 1 - missed))


def _check(errors: int, audited: int, alpha: float, population: int | None) -> None:
    if not 0 <= errors <= audited:
        raise ValueError(f"{errors} errors in an audit of {audited}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, not between 0 and 1")
    if population is not None and audited > population:
        raise ValueError(f"an audit of {audited} from a set of {population}")
