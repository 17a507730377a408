"""Review from here to its end, with masks of which is made up which are bad.

Which are bad nobody knows. So it is made up in agreement with what is known: with the masks that
chance chose and people looked at, or, as long as those are few, with the score taken at its word,
twice too high or twice too low. Then questions are asked as `review push` and `certify` do.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.certify.betting import Floats
from pipelines.certify.expectations import expect, ranked
from pipelines.certify.simulating import Attempts, run_attempts
from pipelines.doubt.fitting import LEAST_OF_EACH
from pipelines.workspace.settings import ReviewSettings

STEPS = ("learning", "audit", "doubtful", "test", "checks")
"""Kinds of questions, in the order in which they come."""

_ATTEMPTS = 3
_ENOUGH = 30
"""Masks that chance chose, and people looked at: with fewer the score is taken at its word."""
_UNSURE = 0.7
"""Standard deviation of the log-odds by which that word may be off: a factor of two."""
_LEARNING = 200
"""Questions at least before a score is fitted: an audit is planned by what they say."""
_SURE, _TRIES = 0.9, 40
"""How probable it is that a score can be fitted once they are answered, and what tells."""

Truth = Callable[[np.random.Generator], NDArray[np.bool_]]
"""Makes up which masks are bad."""


@dataclass(frozen=True, kw_only=True)
class Undecided:
    """The masks that nobody has decided about, and what is known of such masks.

    Attributes:
        doubt: (N,) in ascending order.
        scored: (M,) of all masks that have one, decided ones, too, in ascending order.
        in_test: (N,) people alone may decide about it.
        audited: (N,) it was in an audit before.
        seen: doubt, and whether it was bad, of masks that chance chose and people looked at.
        attempts: to certify, that were made so far.
    """

    doubt: Floats
    scored: Floats
    in_test: NDArray[np.bool_]
    audited: NDArray[np.bool_]
    seen: tuple[Floats, NDArray[np.bool_]]
    attempts: int

    @property
    def known(self) -> int:
        """Masks from which it is known how many are bad; 0: they are too few."""
        return len(self.seen[0]) if len(self.seen[0]) >= _ENOUGH else 0


@dataclass(frozen=True, kw_only=True)
class Work:
    """Masks that are looked at.

    Attributes:
        good: how many of them are.
        bad: and are not.
    """

    good: int
    bad: int

    def __add__(self, other: "Work") -> "Work":
        """Both."""
        return Work(good=self.good + other.good, bad=self.bad + other.bad)


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """How one simulation ended.

    Attributes:
        work: by step.
        without: if every mask is looked at, once, and none is certified; checks included.
        bad: masks that are.
        unseen: masks that were certified and that nobody looked at.
        certified: there is a certificate.
    """

    work: dict[str, Work]
    without: Work
    bad: int
    unseen: int
    certified: bool


def truth_of(found: Undecided, max_error: float) -> Truth:
    """What makes up which masks are bad, by what is known."""
    from scipy.special import expit, logit

    if found.known:
        ranks = ranked(found.doubt, found.scored)
        seen, bad = found.seen
        expectation = expect(ranked(seen, found.scored), bad, max_error)

        def by_reviews(chance: np.random.Generator) -> NDArray[np.bool_]:
            one, two = chance.standard_normal(2)
            rates = expectation.rates(ranks, (float(one), float(two)))
            return np.asarray(chance.random(len(rates)) < rates)

        return by_reviews

    odds = logit(np.clip(found.doubt, 1e-4, 1 - 1e-4))

    def by_score(chance: np.random.Generator) -> NDArray[np.bool_]:
        rates = expit(odds + _UNSURE * chance.standard_normal())
        return np.asarray(chance.random(len(rates)) < rates)

    return by_score


def questions_to_learn(found: Undecided, truth: Truth, chance: np.random.Generator) -> int:
    """Questions at random after which a score can probably be fitted; at most all."""
    needed = []
    for _ in range(_TRIES):
        bad = chance.permutation(truth(chance))
        enough = np.minimum(np.cumsum(bad), np.cumsum(~bad)) >= LEAST_OF_EACH
        needed.append(int(enough.argmax()) + 1 if enough.any() else len(bad))
    return min(max(_LEARNING, int(np.quantile(needed, _SURE))), len(found.doubt))


def simulate_review(
    found: Undecided,
    bad: NDArray[np.bool_],
    learning: int,
    bound: tuple[float, float],
    settings: ReviewSettings,
    chance: np.random.Generator,
) -> Reviewed:
    """Ask until every mask is accepted, rejected or fixed.

    Args:
        found: the masks.
        bad: (N,) which of them are.
        learning: questions at random before the first audit.
        bound: share of bad masks to be proven, and 1 − confidence.
        settings: shares of re-checks and honeypots.
        chance: what draws.
    """
    every = np.arange(len(bad))
    asked = chance.choice(every, learning, replace=False)
    left = np.setdiff1d(every, asked)
    tried = _certify(found, bad, asked, left, bound, chance)
    # An audit measures: what it found bad, and what a failed one saw, is asked about once more.
    found_bad = tried.audited[bad[tried.audited]]
    accepted = np.setdiff1d(tried.listed, found_bad) if tried.certified else tried.unseen
    rest = np.setdiff1d(left, accepted)
    work = {
        "learning": _work(bad[asked]),
        "audit": _work(bad[tried.audited]),
        "doubtful": _work(bad[rest[~found.in_test[rest]]]),
        "test": _work(bad[rest[found.in_test[rest]]]),
    }
    asked_about = sum(work.values(), start=Work(good=0, bad=0))
    return Reviewed(
        work={**work, "checks": _checks(asked_about, len(bad), settings)},
        without=_work(bad) + _checks(_work(bad), len(bad), settings),
        bad=int(bad.sum()),
        unseen=len(tried.unseen),
        certified=tried.certified,
    )


def _certify(
    found: Undecided,
    bad: NDArray[np.bool_],
    asked: NDArray[np.int64],
    left: NDArray[np.int64],
    bound: tuple[float, float],
    chance: np.random.Generator,
) -> Attempts:
    """The attempts on masks that are fresh, by their rows among all."""
    fresh = left[~found.in_test[left] & ~found.audited[left]]
    if not len(fresh):
        return Attempts()
    seen = np.append(found.seen[0], found.doubt[asked])
    tried = run_attempts(
        ranked(found.doubt[fresh], found.scored),
        bad[fresh],
        (ranked(seen, found.scored), np.append(found.seen[1], bad[asked])),
        *bound,
        chance,
        before=found.attempts,
        most=_ATTEMPTS,
    )
    return replace(
        tried,
        audited=fresh[tried.audited],
        listed=fresh[tried.listed],
        unseen=fresh[tried.unseen],
    )


def _work(bad: NDArray[np.bool_]) -> Work:
    return Work(good=int((~bad).sum()), bad=int(bad.sum()))


def _checks(others: Work, masks: int, settings: ReviewSettings) -> Work:
    """Accepted masks that are shown again, and honeypots, every other one of them spoilt."""
    again = round(settings.recheck_share * masks)
    honeypots = round(settings.honeypot_share * (others.good + others.bad + again))
    return Work(good=again + honeypots - honeypots // 2, bad=honeypots // 2)
