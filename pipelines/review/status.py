"""How review stands: what was asked, what was answered, by whom, how fast, how unanimously."""

import statistics
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, RequestState, Review, ReviewRequest, reader
from pipelines.portraits.decisions import by_people, decided
from pipelines.portraits.funnel import Funnel, funnel
from pipelines.portraits.reviewer_errors import (
    Rechecked,
    ReviewerErrors,
    rechecked,
    reviewer_errors,
    told_bad_below,
)
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True)
class ReviewerCounts:
    """One person's work.

    Attributes:
        decisions: that hold, by kind.
        median_seconds: per decision, as the browser measured it; None if it never did.
        shared: decisions of others on masks this person decided about too.
        agreed: how many of those are the same.
        error_rates: on questions whose answer is known; None: no such question was answered.
        marks_a_fix: clicks and boxes, mean over their fixes that were made by any; None: none was.
    """

    decisions: dict[str, int]
    median_seconds: float | None
    shared: int
    agreed: int
    error_rates: ReviewerErrors | None
    marks_a_fix: float | None = None


@dataclass(frozen=True)
class ReviewCounts:
    """The state of review.

    Attributes:
        pushed: requests whose task was sent.
        waiting: those without an answer.
        unsent: requests that an interrupted push has not sent.
        withdrawn: requests withdrawn since the portrait has a newer mask.
        accepted: masks, by the majority of their decisions; likewise the next three.
        rejected: masks.
        fixed: masks that people replaced.
        disagreed: masks without a majority; the next push asks again.
        problems: answers that cannot be used, in words.
        reviewers: by e-mail address.
        rechecked: accepted masks that were shown again, and how many were found bad.
    """

    pushed: int
    waiting: int
    unsent: int
    withdrawn: int
    accepted: int
    rejected: int
    fixed: int
    disagreed: int
    problems: list[str]
    reviewers: dict[str, ReviewerCounts]
    rechecked: Rechecked

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class WorkspaceStatus:
    """How a workspace stands: what became of its files, and of the questions to people."""

    funnel: Funnel
    review: ReviewCounts

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.funnel.as_dict(), "review": self.review.as_dict()}


def workspace_status(workspace: Workspace) -> WorkspaceStatus:
    """Count everything, in one consistent read."""
    with reader(workspace.engine).begin() as connection:
        return WorkspaceStatus(funnel(connection), review_counts(connection))


def review_status(workspace: Workspace) -> ReviewCounts:
    """How review stands, as of the last pull."""
    with reader(workspace.engine).begin() as connection:
        return review_counts(connection)


def review_counts(connection: Connection) -> ReviewCounts:
    """Count everything, in one consistent read."""
    bad_below = told_bad_below(connection)
    by_state = sa.select(ReviewRequest.state, sa.func.count()).group_by(ReviewRequest.state)
    states: Counter[RequestState] = Counter()
    for state, number in connection.execute(by_state):
        states[state] = number
    outcomes = Counter(decided(connection).values())
    problems = sa.select(ReviewRequest.problem).where(ReviewRequest.problem.is_not(None))
    return ReviewCounts(
        pushed=states[RequestState.SENT] + states[RequestState.ANSWERED],
        waiting=states[RequestState.SENT],
        unsent=states[RequestState.OPEN],
        withdrawn=states[RequestState.SUPERSEDED],
        accepted=outcomes[Decision.ACCEPT],
        rejected=outcomes[Decision.REJECT],
        fixed=outcomes[Decision.FIX],
        disagreed=outcomes[None],
        problems=[str(each) for each in connection.scalars(problems.order_by(ReviewRequest.id))],
        reviewers=_reviewers(connection, bad_below),
        rechecked=rechecked(connection, bad_below),
    )


def _reviewers(connection: Connection, bad_below: float) -> dict[str, ReviewerCounts]:
    """What each person did; their answers to honeypots are errors or none, but no decisions."""
    errors = reviewer_errors(connection, bad_below)
    query = (
        sa.select(Review.reviewer, Review.mask_id, Review.decision, Review.seconds, Review.marks)
        .outerjoin(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(Review.withdrawn_at.is_(None), by_people())
        .order_by(Review.id)
    )
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, list[float]] = defaultdict(list)
    marks: dict[str, list[int]] = defaultdict(list)
    votes: dict[int, dict[str, Decision]] = defaultdict(dict)
    for row in connection.execute(query):
        kinds[row.reviewer][str(row.decision)] += 1
        votes[row.mask_id][row.reviewer] = row.decision
        if row.seconds is not None:
            seconds[row.reviewer].append(row.seconds)
        if row.marks:
            marks[row.reviewer].append(len(row.marks))
    shared: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for of_mask in votes.values():
        for (one, first), (other, second) in combinations(of_mask.items(), 2):
            shared.update((one, other))
            if first == second:
                agreed.update((one, other))
    return {
        name: ReviewerCounts(
            dict(kinds[name]),
            round(statistics.median(seconds[name]), 1) if seconds[name] else None,
            shared[name],
            agreed[name],
            errors.get(name),
            round(statistics.mean(marks[name]), 1) if marks[name] else None,
        )
        for name in sorted({*kinds, *errors})
    }
