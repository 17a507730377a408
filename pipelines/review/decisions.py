"""What people have decided about masks: votes in, one decision or a disagreement out.

Each person's standing decision on a mask revision is one vote; a person who was asked twice counts
with the later answer. More than half of the votes decide. Answers to audits, repeated questions and
honeypots measure; they do not decide.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, Purpose, Review, ReviewRequest


def decided(
    connection: Connection, mask_ids: Iterable[int] | None = None
) -> dict[int, Decision | None]:
    """Decision by mask revision; None where people disagree and a further one has to look.

    Args:
        connection: in a transaction.
        mask_ids: only these revisions, a few hundred at most; default all.

    Returns:
        Only revisions somebody has decided about.
    """
    query = (
        sa.select(Review.mask_id, Review.reviewer, Review.decision)
        .outerjoin(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(
            Review.withdrawn_at.is_(None),
            sa.or_(Review.request_id.is_(None), ReviewRequest.purpose == Purpose.REVIEW),
        )
        .order_by(Review.decided_at, Review.id)
    )
    if mask_ids is not None:
        query = query.where(Review.mask_id.in_(list(mask_ids)))
    votes: dict[int, dict[str, Decision]] = defaultdict(dict)
    for mask_id, reviewer, decision in connection.execute(query):
        votes[mask_id][reviewer] = decision
    return {mask_id: majority(of_mask.values()) for mask_id, of_mask in votes.items()}


def majority(votes: Iterable[Decision]) -> Decision | None:
    """What more than half of the votes (at least one) say; None if there is no such decision."""
    counts = Counter(votes)
    decision, number = counts.most_common(1)[0]
    return decision if 2 * number > counts.total() else None
