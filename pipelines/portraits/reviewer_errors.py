"""How often reviewers are wrong, and how much of what was accepted would be accepted again.

Rates come with exact intervals (Clopper and Pearson 1934, SciPy's), at 95 %.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, Honeypot, Purpose, Review, ReviewRequest, ScoreModelRow
from pipelines.workspace.defaults import BAD_BELOW

CONFIDENCE = 0.95
_NARROW = 0.1
"""Intervals that end below this are shown with a decimal."""


@dataclass(frozen=True)
class Rate:
    """A share, with its interval.

    Attributes:
        errors: how many were wrong.
        shown: of how many.
        low: end of the interval, in [0, 1]; 0 where nothing was shown.
        high: its other end; 1 where nothing was shown.
    """

    errors: int
    shown: int
    low: float
    high: float

    def __str__(self) -> str:
        """With its interval: `2 of 40 (1 to 17 %)`, with a decimal where it is narrow."""
        if not self.shown:
            return "–"
        digits = 0 if self.high > _NARROW else 1
        low, high = (f"{100 * end:.{digits}f}" for end in (self.low, self.high))
        return f"{self.errors:,} of {self.shown:,} ({low} to {high} %)"


def told_bad_below(connection: Connection) -> float:
    """IoU with its fix below which a mask was bad: as the latest score was told, or the default."""
    latest = sa.select(ScoreModelRow.bad_below).order_by(ScoreModelRow.id.desc()).limit(1)
    told = connection.scalar(latest)
    return BAD_BELOW if told is None else told


@dataclass(frozen=True)
class ReviewerErrors:
    """What is known of one person's errors, or of several persons'.

    Attributes:
        missed: spoilt masks that were taken for good.
        false_alarms: good masks that were taken for bad.
        changed: masks that were judged otherwise when they were shown again.
    """

    missed: Rate
    false_alarms: Rate
    changed: Rate


@dataclass(frozen=True)
class Rechecked:
    """Accepted masks that were shown again, and how many were found bad this time.

    Attributes:
        by_people: masks that people had accepted.
        by_certificate: masks that a certificate had accepted.
    """

    by_people: Rate
    by_certificate: Rate


def rate(errors: int, shown: int, *, among: int = 1) -> Rate:
    """A share and its Clopper-Pearson interval.

    Args:
        errors: how many were wrong.
        shown: of how many.
        among: shares that this one was chosen from for being high or low: the intervals of all of
            them hold at once with 95 % (Bonferroni).
    """
    if shown == 0:
        return Rate(0, 0, 0.0, 1.0)
    from scipy.stats import binomtest

    confidence = 1 - (1 - CONFIDENCE) / among
    interval = binomtest(errors, shown).proportion_ci(confidence, method="exact")
    return Rate(errors, shown, float(interval.low), float(interval.high))


def is_bad(decision: Decision, fixed_iou: float | None, bad_below: float) -> bool:
    """Whether an answer says that the mask was bad.

    Args:
        decision: rejected, fixed, or anything else.
        fixed_iou: of a fix with what was shown; None: it is not known, and counts as low.
        bad_below: a mask was bad if the IoU of its fix is below this.
    """
    if decision is Decision.FIX:
        return fixed_iou is None or fixed_iou < bad_below
    return decision is Decision.REJECT


def reviewer_errors(connection: Connection, bad_below: float) -> dict[str, ReviewerErrors]:
    """Errors by reviewer, of those who saw a honeypot or the same mask twice.

    Args:
        connection: in a transaction.
        bad_below: see `is_bad`; masks that were spoilt less than that are left out.
    """
    answers = _honeypot_answers(connection, bad_below)
    changes = _own_answers_again(connection, bad_below)
    return {
        name: _errors(answers.get(name, ()), changes.get(name, ()))
        for name in sorted({*answers, *changes})
    }


def errors_of(
    connection: Connection, bad_below: float, reviewers: Collection[str]
) -> ReviewerErrors:
    """Errors of several reviewers together; arguments as of `reviewer_errors`."""
    answers = _honeypot_answers(connection, bad_below)
    changes = _own_answers_again(connection, bad_below)
    return _errors(
        [answer for name in reviewers for answer in answers.get(name, ())],
        [change for name in reviewers for change in changes.get(name, ())],
    )


def rechecked(connection: Connection, bad_below: float) -> Rechecked:
    """What came of accepted masks that were shown again; the latest answer counts.

    Args:
        connection: in a transaction.
        bad_below: see `is_bad`.
    """
    query = (
        sa.select(Review.mask_id, Review.decision, Review.fixed_iou)
        .join(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(Review.withdrawn_at.is_(None), ReviewRequest.purpose == Purpose.REPEAT)
        .order_by(Review.decided_at, Review.id)
    )
    found = {
        row.mask_id: is_bad(row.decision, row.fixed_iou, bad_below)
        for row in connection.execute(query)
    }
    ruled = sa.select(Review.mask_id).where(Review.decision == Decision.CERTIFIED)
    certified = set(connection.scalars(ruled))
    return Rechecked(
        by_people=_rate(bad for mask_id, bad in found.items() if mask_id not in certified),
        by_certificate=_rate(bad for mask_id, bad in found.items() if mask_id in certified),
    )


def _errors(answers: Iterable[tuple[bool, bool]], changes: Iterable[bool]) -> ReviewerErrors:
    known = list(answers)
    return ReviewerErrors(
        missed=_rate(not said_bad for was_bad, said_bad in known if was_bad),
        false_alarms=_rate(said_bad for was_bad, said_bad in known if not was_bad),
        changed=_rate(changes),
    )


def _rate(wrong: Iterable[bool]) -> Rate:
    each = list(wrong)
    return rate(sum(each), len(each))


def _honeypot_answers(
    connection: Connection, bad_below: float
) -> dict[str, list[tuple[bool, bool]]]:
    """(it was bad, they said so) by reviewer."""
    query = (
        sa.select(
            Review.request_id,
            Review.reviewer,
            Review.decision,
            Review.fixed_iou,
            Honeypot.damage,
            Honeypot.iou,
        )
        .join(Honeypot, Honeypot.request_id == Review.request_id)
        .where(Review.withdrawn_at.is_(None))
        .order_by(Review.decided_at, Review.id)
    )
    latest: dict[tuple[str, int | None], tuple[bool, bool]] = {}
    for row in connection.execute(query):
        spoilt = row.damage is not None
        if not spoilt or row.iou < bad_below:
            said = is_bad(row.decision, row.fixed_iou, bad_below)
            latest[row.reviewer, row.request_id] = (spoilt, said)
    found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for (reviewer, _), answer in latest.items():
        found[reviewer].append(answer)
    return found


def _own_answers_again(connection: Connection, bad_below: float) -> dict[str, list[bool]]:
    """Whether a mask was judged otherwise than the first time, by reviewer."""
    repeated = sa.select(ReviewRequest.mask_id).where(ReviewRequest.purpose == Purpose.REPEAT)
    query = (
        sa.select(Review.reviewer, Review.mask_id, Review.decision, Review.fixed_iou)
        .add_columns(ReviewRequest.purpose)
        .join(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(
            Review.withdrawn_at.is_(None),
            ReviewRequest.purpose.in_([Purpose.REVIEW, Purpose.REPEAT]),
            Review.mask_id.in_(repeated),
        )
        .order_by(Review.decided_at, Review.id)
    )
    answers: dict[tuple[str, int], dict[Purpose, bool]] = defaultdict(dict)
    for row in connection.execute(query):
        said = is_bad(row.decision, row.fixed_iou, bad_below)
        answers[row.reviewer, row.mask_id].setdefault(row.purpose, said)
    found: dict[str, list[bool]] = defaultdict(list)
    for (reviewer, _), said_at in answers.items():
        if len(said_at) == 2:
            found[reviewer].append(said_at[Purpose.REVIEW] != said_at[Purpose.REPEAT])
    return found
