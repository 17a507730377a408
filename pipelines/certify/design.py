"""How an audit is laid out: which set it is about, its strata, its stakes, and how long it will be.

If a share p of a stratum is expected to be bad, and somebody claims q > p, an answer gains KL(p, q)
on average, the Kullback-Leibler divergence of two coins. Whoever claims that more than `max_error`
of the set is bad will claim it where that is found out last; so the audit is best that finds it out
everywhere equally fast: q such that KL(p, q) is the same in all strata and the mean of q is
`max_error`. That is the growth of log capital an answer; the stakes are (q − p) / (q · (1 − q)).
Everything here is judgement: `betting` proves, whatever is chosen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.certify.betting import Audit, Floats, Wave
from pipelines.certify.expectations import Expectation

STRATA = 32
WORTHS = (0.5, 0.0)
"""So many masks a question must buy, unseen; or else, where no audit is worth that, so many."""
_MOST_QUESTIONS = 0.8
"""Part of the masks left that may be asked about: with more, nearly all would have to be seen."""
_BINS = 64
_LEAST_STAKE = 0.001
_GROWTHS: Floats = np.asarray(np.geomspace(1e-5, 0.3, 60), np.float64)
_AT_ONCE, _PART = 60, 0.6
"""So few questions are drawn at once; of more, this part."""
_STEPS = 14
"""To ten digits, for rates of 0.95 at most."""
_LEARNING = 1.0
"""Log capital that it costs not to know the shares beforehand."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A set that is worth an audit.

    Attributes:
        size: masks of the set: so many, the least doubtful first.
        questions: that it will probably take.
        gain: masks that it accepts unseen, less those its questions are worth, on average over what
            may be; 0 or less: no audit is worth it.
    """

    size: int
    questions: float
    gain: float


def choose_size(ranks: Floats, expectation: Expectation, max_error: float, alpha: float) -> Layout:
    """The set of the least doubtful masks that an audit is expected to be worth most for.

    Args:
        ranks: (N,) of the masks that may be accepted, in ascending order; see `ranked`.
        expectation: of ranks.
        max_error: the bound to be proven, in (0, 1).
        alpha: 1 − confidence.
    """
    parts = np.array_split(ranks, min(_BINS, len(ranks)))
    middle = np.array([part.mean() for part in parts])
    number = np.array([len(part) for part in parts], np.float64)
    sizes = np.cumsum(number)
    gains, questions = np.zeros((len(WORTHS), len(sizes))), np.zeros(len(sizes))
    worths = np.array(WORTHS)[:, None]
    for weight, rates in expectation.cases(middle):
        claimed = _claimed(rates[None], _GROWTHS[:, None])
        means = np.cumsum(claimed * number, axis=1) / sizes
        reached = (means <= max_error).sum(0)
        growth = np.where(reached > 0, _GROWTHS[np.maximum(reached - 1, 0)], 0.0)
        needed = _answers(growth, sizes, alpha)
        lost = np.minimum(needed, _answers(_GROWTHS[30], sizes, alpha))
        gains += weight * np.where(growth > 0, sizes - (1 + worths) * needed, -worths * lost)
        questions += weight * needed
    worth = next((row for row in range(len(WORTHS)) if gains[row].max() > 0), 0)
    best = int(gains[worth].argmax())
    return Layout(
        size=int(sizes[best]), questions=float(questions[best]), gain=float(gains[worth, best])
    )


def strata_of(size: int) -> NDArray[np.int64]:
    """(size,) stratum of each mask of a set, the least doubtful first."""
    number = min(STRATA, size)
    return np.arange(size, dtype=np.int64) * number // size


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How an audit goes on.

    Attributes:
        stakes: by stratum, of the next questions; see `betting.Wave`, like `expected`.
        expected: by stratum.
        questions: answers that it will probably still take; infinite: more than the bound is
            expected to be bad.
        worth_it: so many masks would be left that nobody has to see that it is worth going on.
    """

    stakes: Floats
    expected: Floats
    questions: float
    worth_it: bool

    def wave(self, size: int) -> Wave:
        """So many questions by these stakes."""
        return Wave(size=size, stakes=self.stakes.tolist(), expected=self.expected.tolist())

    @property
    def wave_size(self) -> int:
        """Questions to be drawn at once: what they say decides about the next."""
        if self.questions <= _AT_ONCE or math.isinf(self.questions):
            return max(1, math.ceil(min(self.questions, _AT_ONCE)))
        return math.ceil(_PART * self.questions)


def outlook(audit: Audit, rates: Floats, max_error: float, alpha: float) -> Outlook:
    """The best stakes from here on, and how long it will take.

    Args:
        audit: so far; not everything was drawn.
        rates: (strata,) expected share of bad masks.
        max_error: the bound to be proven, in (0, 1).
        alpha: 1 − confidence.
    """
    left, number = audit.left, audit.unseen
    too_many = audit.too_many(max_error)
    means = _claimed(rates[None], _GROWTHS[:, None]) @ left / number
    aim = min(too_many / number, float(means[-1]))
    growth = float(np.exp(np.interp(aim, means, np.log(_GROWTHS))))
    claimed = _claimed(rates, np.full(len(rates), growth))
    stakes = np.maximum((claimed - rates) / (claimed * (1 - claimed)), _LEAST_STAKE)
    if means[0] > aim:
        return Outlook(stakes=stakes, expected=claimed, questions=math.inf, worth_it=False)
    wanted = (-math.log(alpha) - audit.log_capital(too_many)) / growth
    questions = number * (1 - math.exp(-max(wanted, 0.0) / number))
    return Outlook(
        stakes=stakes,
        expected=claimed,
        questions=questions,
        worth_it=questions < _MOST_QUESTIONS * number,
    )


def draw(
    stakes: Sequence[float], stratum: NDArray[np.int64], number: int, chance: np.random.Generator
) -> NDArray[np.int64]:
    """Draw one after the other, each of those left with a probability proportional to 1 / stake.

    Args:
        stakes: by stratum.
        stratum: (N,) of the masks that are left.
        number: of draws, at most N.
        chance: what decides.

    Returns:
        (number,) rows, in the order of the draw: whoever's clock, ticking at its rate, ends first.
    """
    ends = chance.exponential(size=len(stratum)) * np.asarray(stakes)[stratum]
    return np.argsort(ends, kind="stable")[:number]


def _answers(growth: Floats, sizes: Floats, alpha: float) -> Floats:
    """How many answers it takes; a set of which much was seen takes fewer."""
    with np.errstate(divide="ignore"):
        alike = (_LEARNING - math.log(alpha)) / growth
    return np.asarray(sizes * (1 - np.exp(-alike / sizes)))


def _claimed(rates: Floats, growth: Floats) -> Floats:
    """Q > p with KL(p, q) = growth.

    By Newton's steps from where KL(p, q) ≥ 2 (q − p)² puts it at most: KL is convex there, so they
    never overshoot.
    """
    rates, growth = np.broadcast_arrays(rates, growth)
    found = np.minimum(rates + np.sqrt(growth / 2), 1 - 1e-9)
    for _ in range(_STEPS):
        far = rates * np.log(rates / found) + (1 - rates) * np.log((1 - rates) / (1 - found))
        found = found - (far - growth) * found * (1 - found) / (found - rates)
    return np.asarray(found)
