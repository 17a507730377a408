"""What people have decided about masks: votes in, one decision or a disagreement out.

Each person's standing decision on a mask revision is one vote; a person who was asked twice counts
with the later answer. More than half of the votes decide. Answers to audits and honeypots measure;
they do not decide. What a person said unasked, in the gallery, counts as an answer. A certificate's
vote counts until the first person's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, Purpose, Review, ReviewRequest, chunks

_DECIDING = (Purpose.REVIEW, Purpose.REPEAT)


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's (or one rule's) standing decision on a mask revision.

    Attributes:
        reviewer: e-mail address, or the rule's name.
        decision: theirs.
        decided_at: when.
        fixed_mask_id: for `fix`: the revision they drew.
        is_rule: nobody looked: a certificate.
    """

    reviewer: str
    decision: Decision
    decided_at: datetime
    fixed_mask_id: int | None
    is_rule: bool


def votes(connection: Connection, mask_ids: Iterable[int] | None = None) -> dict[int, list[Vote]]:
    """The votes that count, by mask revision, oldest first.

    Args:
        connection: in a transaction.
        mask_ids: only these revisions; default all.
    """
    query = (
        sa.select(
            Review.mask_id,
            Review.reviewer,
            Review.decision,
            Review.decided_at,
            Review.fixed_mask_id,
            (Review.decision == Decision.CERTIFIED).label("is_rule"),
        )
        .outerjoin(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(
            Review.withdrawn_at.is_(None),
            sa.or_(Review.request_id.is_(None), ReviewRequest.purpose.in_(_DECIDING)),
        )
        .order_by(Review.decided_at, Review.id)
    )
    pieces = [query]
    if mask_ids is not None:
        pieces = [query.where(Review.mask_id.in_(ids)) for ids in chunks(mask_ids)]
    latest: dict[int, dict[str, Vote]] = defaultdict(dict)
    for piece in pieces:
        for mask_id, reviewer, decision, when, fixed, is_rule in connection.execute(piece):
            latest[mask_id][reviewer] = Vote(reviewer, decision, when, fixed, is_rule)
    return {mask_id: _counting(of_mask.values()) for mask_id, of_mask in latest.items()}


def by_people() -> sa.ColumnElement[bool]:
    """Reviews that are people's decisions about the mask, audits included.

    For a query that has the review's request beside it, by an outer join.
    """
    unasked = sa.and_(Review.request_id.is_(None), Review.decision != Decision.CERTIFIED)
    return sa.or_(unasked, ReviewRequest.purpose != Purpose.HONEYPOT)


def decided(
    connection: Connection, mask_ids: Iterable[int] | None = None
) -> dict[int, Decision | None]:
    """Decision by mask revision; None where people disagree and a further one has to look.

    Args:
        connection: in a transaction.
        mask_ids: only these revisions; default all.

    Returns:
        Only revisions somebody has decided about.
    """
    return {
        mask_id: majority(vote.decision for vote in of_mask)
        for mask_id, of_mask in votes(connection, mask_ids).items()
    }


def majority(decisions: Iterable[Decision]) -> Decision | None:
    """What more than half of the votes (at least one) say; None if there is no such decision."""
    counts = Counter(decisions)
    decision, number = counts.most_common(1)[0]
    return decision if 2 * number > counts.total() else None


def _counting(found: Iterable[Vote]) -> list[Vote]:
    """People's votes; the rules' where no person has voted."""
    people = [vote for vote in found if not vote.is_rule]
    return people or list(found)
