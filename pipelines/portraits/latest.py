"""Which of a portrait's masks counts: conditions on `db.Mask`, for any query."""

import sqlalchemy as sa

from db import Mask, MaskSource


def latest_masks() -> sa.ColumnElement[bool]:
    """No later revision of the same portrait's mask exists."""
    return _none_later(sa.true())


def no_later_proposal() -> sa.ColumnElement[bool]:
    """The portrait has no later mask but those that people drew in review."""
    return _none_later(_later.source != MaskSource.HUMAN)


_later = Mask.__table__.alias().c


def _none_later(counts: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    newer = sa.select(_later.id).where(
        _later.portrait_id == Mask.portrait_id, _later.revision > Mask.revision, counts
    )
    return ~newer.correlate(Mask).exists()
