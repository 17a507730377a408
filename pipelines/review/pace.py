"""How fast these reviewers are, and what they do with good masks and with bad ones."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, Review, ReviewRequest
from pipelines.portraits.decisions import by_people
from pipelines.portraits.reviewer_errors import is_bad

KINDS: Final = (Decision.ACCEPT, Decision.REJECT, Decision.FIX)
MODEL_SECONDS: Final[Mapping[Decision, float]] = {
    Decision.ACCEPT: 1.6,
    Decision.REJECT: 1.8,
    Decision.FIX: 7.1,
}
"""A person's seconds in our screen by the keystroke-level model (Card, Moran and Newell 1980), a
fix by the clicks that a bad mask takes on average: docs/review.md, "How long it takes"."""

_ENOUGH = 10
"""Decisions from which a kind's seconds, or what is done with a kind of mask, are known."""
_BREAK = 5.0
"""Times the median that a decision may have taken: what is above it was no work."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a decision takes, and which is taken.

    Attributes:
        seconds: mean, by kind of decision.
        measured: decisions behind each of these; 0: it is the model's, or was given.
        of_good: how often a good mask is accepted, rejected, fixed all the same; sums to 1.
        of_bad: likewise of a bad one.
    """

    seconds: Mapping[Decision, float]
    measured: Mapping[Decision, int]
    of_good: Mapping[Decision, float]
    of_bad: Mapping[Decision, float]

    @property
    def good_seconds(self) -> float:
        """Mean seconds that a good mask takes."""
        return sum(self.seconds[kind] * share for kind, share in self.of_good.items())

    @property
    def bad_seconds(self) -> float:
        """Mean seconds that a bad mask takes."""
        return sum(self.seconds[kind] * share for kind, share in self.of_bad.items())


def pace(
    connection: Connection, bad_below: float, given: Mapping[Decision, float] | None = None
) -> Pace:
    """The pace of the people who decided here so far; what is not known is the model's.

    Until ten bad masks were seen, each is expected to be fixed; until ten good ones were, each to
    be accepted.

    Args:
        connection: in a transaction.
        bad_below: IoU under which a fixed mask was bad, in (0, 1].
        given: seconds that hold whatever was measured, by kind.
    """
    query = (
        sa.select(Review.decision, Review.seconds, Review.fixed_iou)
        .outerjoin(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(Review.withdrawn_at.is_(None), by_people(), Review.decision.in_(KINDS))
    )
    taken: dict[Decision, list[float]] = defaultdict(list)
    done: dict[bool, Counter[Decision]] = {True: Counter(), False: Counter()}
    for decision, seconds, fixed_iou in connection.execute(query):
        done[is_bad(decision, fixed_iou, bad_below)][decision] += 1
        if seconds is not None:
            taken[decision].append(seconds)
    known = {kind: each for kind, each in taken.items() if len(each) >= _ENOUGH}
    given = given or {}
    return Pace(
        seconds={
            **MODEL_SECONDS,
            **{kind: _mean(each) for kind, each in known.items()},
            **given,
        },
        measured={kind: len(known.get(kind, [])) * (kind not in given) for kind in KINDS},
        of_good=_shares(done[False], Decision.ACCEPT),
        of_bad=_shares(done[True], Decision.FIX),
    )


def _mean(seconds: Iterable[float]) -> float:
    """Of work: whoever left the screen open for an hour did not work for an hour."""
    seconds = list(seconds)
    longest = _BREAK * statistics.median(seconds)
    return statistics.fmean(min(each, longest) for each in seconds)


def _shares(done: Counter[Decision], otherwise: Decision) -> dict[Decision, float]:
    if done.total() < _ENOUGH:
        return {otherwise: 1.0}
    return {kind: number / done.total() for kind, number in done.items()}
