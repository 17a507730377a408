"""Masks that people want others to look at: tagged `review` or `fix` in the gallery."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import GalleryTag, Mask, Purpose, RequestState, ReviewRequest, Tag, chunks
from pipelines.portraits.latest import latest_masks
from pipelines.review.asking import NewQuestion

_CALLS = (Tag.FIX, Tag.REVIEW)
_WAITING = (RequestState.OPEN, RequestState.SENT)


def called_for(connection: Connection) -> list[NewQuestion]:
    """Questions that people called for and that nobody is being asked yet.

    What is to be redrawn comes first, then what was called for first. The verdict of the checks and
    what was decided before do not matter: somebody looked. A mask that was replaced since is not
    among them.
    """
    waiting = sa.select(ReviewRequest.mask_id).where(
        ReviewRequest.purpose == Purpose.REVIEW, ReviewRequest.state.in_(_WAITING)
    )
    query = (
        sa.select(GalleryTag.mask_id, GalleryTag.tag, Mask.portrait_id)
        .join(Mask, Mask.id == GalleryTag.mask_id)
        .where(_is_open(), latest_masks(), GalleryTag.mask_id.not_in(waiting))
        .order_by(GalleryTag.tagged_at, GalleryTag.id)
    )
    rows = sorted(connection.execute(query), key=lambda row: row.tag is not Tag.FIX)
    asked = _asked(connection, {row.mask_id for row in rows})
    return [
        NewQuestion(
            mask_id,
            portrait_id,
            Purpose.REVIEW,
            replicate=asked.get(mask_id, 0),
            at_random=False,
        )
        for mask_id, portrait_id in {row.mask_id: row.portrait_id for row in rows}.items()
    ]


def settle_calls(connection: Connection) -> None:
    """Note of the calls which question meets them: one that somebody is being asked now."""
    open_calls = set(connection.scalars(sa.select(GalleryTag.mask_id).where(_is_open())))
    for some in chunks(sorted(open_calls)):
        query = (
            sa.select(ReviewRequest.mask_id, sa.func.max(ReviewRequest.id).label("request_id"))
            .where(
                ReviewRequest.mask_id.in_(some),
                ReviewRequest.purpose == Purpose.REVIEW,
                ReviewRequest.state.in_(_WAITING),
            )
            .group_by(ReviewRequest.mask_id)
        )
        for row in connection.execute(query).all():
            met = sa.update(GalleryTag).where(GalleryTag.mask_id == row.mask_id, _is_open())
            connection.execute(met.values(request_id=row.request_id))


def _is_open() -> sa.ColumnElement[bool]:
    return sa.and_(
        GalleryTag.tag.in_(_CALLS),
        GalleryTag.request_id.is_(None),
        GalleryTag.withdrawn_at.is_(None),
    )


def _asked(connection: Connection, mask_ids: set[int]) -> dict[int, int]:
    """How often each was asked about before."""
    found: dict[int, int] = {}
    for some in chunks(sorted(mask_ids)):
        query = (
            sa.select(ReviewRequest.mask_id, sa.func.max(ReviewRequest.replicate).label("latest"))
            .where(ReviewRequest.mask_id.in_(some), ReviewRequest.purpose == Purpose.REVIEW)
            .group_by(ReviewRequest.mask_id)
        )
        found |= {row.mask_id: row.latest + 1 for row in connection.execute(query)}
    return found
