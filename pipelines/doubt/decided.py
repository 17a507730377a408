"""Which masks people have found good or bad: what the combined score learns from."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, Image, Mask, MaskSource, Portrait, Purpose, Review, ReviewRequest
from pipelines.portraits.content_order import in_content_order
from pipelines.portraits.reviewer_errors import is_bad
from pipelines.workspace.store import Store

PROPOSED = (MaskSource.TEACHER, MaskSource.STUDENT)


@dataclass(frozen=True)
class Decided:
    """A network's mask that people have decided about.

    Attributes:
        mask_id: the revision that was shown.
        portrait_id: whose.
        group: of near-duplicates, as an image's id.
        bad: rejected, or fixed so much that the pushed mask's IoU with the fix is too low.
        at_random: chance chose it, so that it stands for all masks.
        review_ids: the decisions.
    """

    mask_id: int
    portrait_id: int
    group: int
    bad: bool
    at_random: bool
    review_ids: list[int]


def decided_masks(
    connection: Connection, store: Store, bad_below: float, purpose: Purpose = Purpose.REVIEW
) -> list[Decided]:
    """Masks with a majority for good or for bad, in the order of their content.

    Only answers to questions of this purpose count: honeypots, re-checks and audits teach nothing,
    and certificates are no decisions of people. Where a person decided twice, the later answer
    counts.

    Args:
        connection: in a transaction.
        store: of the masks.
        bad_below: IoU under which a fixed mask was bad, in (0, 1].
        purpose: of the questions.

    Raises:
        WorkspaceError: a mask cannot be read.
    """
    by_mask: dict[int, list[Any]] = defaultdict(list)
    for row in _answers(connection, purpose):
        by_mask[row.mask_id].append(row)
    found = []
    for mask_id in in_content_order(connection, by_mask):
        rows = by_mask[mask_id]
        latest = list({row.reviewer: row for row in rows}.values())
        votes = [_is_bad(store, row, bad_below) for row in latest]
        if 2 * sum(votes) == len(votes):
            continue  # people disagree: another one is being asked
        found.append(
            Decided(
                mask_id,
                rows[0].portrait_id,
                group=rows[0].group_id or rows[0].image_id,
                bad=2 * sum(votes) > len(votes),
                at_random=any(row.drawn_at_random for row in rows),
                review_ids=sorted(row.id for row in latest),
            )
        )
    return found


def _answers(connection: Connection, purpose: Purpose) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    fixed = Mask.__table__.alias()
    query = (
        sa.select(
            Review.id,
            Review.mask_id,
            Mask.portrait_id,
            Review.reviewer,
            Review.decision,
            Review.fixed_iou,
            ReviewRequest.drawn_at_random,
            Mask.blob,
            fixed.c.blob.label("fixed_blob"),
            Portrait.image_id,
            Image.group_id,
        )
        .join(ReviewRequest, ReviewRequest.id == Review.request_id)
        .join(Mask, Mask.id == Review.mask_id)
        .join(Portrait, Portrait.id == Mask.portrait_id)
        .join(Image, Image.id == Portrait.image_id)
        .outerjoin(fixed, fixed.c.id == Review.fixed_mask_id)
        .where(
            Review.withdrawn_at.is_(None),
            ReviewRequest.purpose == purpose,
            Mask.source.in_(PROPOSED),
            Mask.probability_blob.is_not(None),
        )
        .order_by(Review.mask_id, Review.decided_at, Review.id)
    )
    return connection.execute(query).all()


def _is_bad(store: Store, row: sa.Row[*tuple[Any, ...]], bad_below: float) -> bool:
    iou = row.fixed_iou
    if row.decision is Decision.FIX and iou is None and row.fixed_blob is not None:
        # Pulled before the IoU was recorded. Only now are pixels read, and what reads them.
        from pipelines.masks.agreement import difference
        from pipelines.pictures.stored_masks import read_mask

        pushed, fixed = (read_mask(store, blob) for blob in (row.blob, row.fixed_blob))
        iou = 1 - difference(pushed, fixed)
    return is_bad(row.decision, iou, bad_below)
