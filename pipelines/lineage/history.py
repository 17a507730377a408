"""The history of a portrait, as the rows tell it: photo, crop, masks, decisions, releases, runs.

Plain values, named as in the tables; times are UTC.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    Image,
    Mask,
    Portrait,
    Purpose,
    Release,
    ReleaseItem,
    Review,
    ReviewRequest,
    Run,
    SettingsUsed,
    Source,
)
from pipelines.origins.origin import Origin, merged
from pipelines.origins.rows import origins_of
from pipelines.pictures.rotation import Crop


@dataclass(frozen=True)
class PhotoHistory:
    """A raw photo; `uris` are its files, first first; `origin` is what they say together."""

    photo_id: int
    sha256: str
    uris: list[str]
    width: int | None
    height: int | None
    format: str | None
    detector: str | None
    outcome: str | None
    reasons: list[str]
    group_id: int | None
    split: str | None
    origin: Origin | None


@dataclass(frozen=True)
class ReviewHistory:
    """A decision on a mask; `purpose` is empty if nobody was asked."""

    reviewer: str
    decision: str
    purpose: str | None
    decided_at: datetime
    seconds: float | None
    reasons: list[str]
    comment: str | None
    fixed_mask_id: int | None
    withdrawn_at: datetime | None


@dataclass(frozen=True)
class MaskHistory:
    """A revision of a mask; `settings` are None if they were not recorded when it was made."""

    mask_id: int
    revision: int
    source: str
    producer: str
    blob: str
    probability_blob: str | None
    verdict: str
    reasons: list[str]
    scores: dict[str, float]
    created_at: datetime
    settings: dict[str, Any] | None
    reviews: list[ReviewHistory]


@dataclass(frozen=True)
class RunHistory:
    """A training run on a release."""

    folder: str
    checkpoint_sha256: str | None
    finished_at: datetime | None
    promoted_at: datetime | None
    forced: bool


@dataclass(frozen=True)
class ReleaseHistory:
    """A portrait's place in a release; `item` is the name of its files, `mask_id` its mask."""

    name: str
    round: int | None
    path: str
    format: str
    checksum: str
    sealed_at: datetime | None
    item: str
    split: str
    trust: str
    mask_id: int | None
    runs: list[RunHistory]


@dataclass(frozen=True)
class PortraitHistory:
    """A portrait. Boxes are in the upright photo: x0, y0, x1, y1, right and bottom exclusive.

    What is in the crop box was rotated by `rotation` degrees clockwise to be the portrait.
    """

    portrait_id: int
    ordinal: int
    crop_box: list[int]
    rotation: int
    face_box: list[float]
    face_confidence: float
    detector: str
    blob: str
    created_at: datetime
    settings: dict[str, Any] | None
    photo: PhotoHistory
    masks: list[MaskHistory]
    releases: list[ReleaseHistory]

    @property
    def crop(self) -> Crop:
        """Where it lies in the photo."""
        x0, y0, x1, y1 = self.crop_box
        return Crop((x0, y0, x1, y1), self.rotation)


def photo_history(connection: Connection, image_id: int) -> PhotoHistory:
    """A photo and its files."""
    row = connection.execute(sa.select(Image.__table__).where(Image.id == image_id)).one()
    uris = sa.select(Source.uri).where(Source.image_id == image_id).order_by(Source.id)
    return PhotoHistory(
        photo_id=row.id,
        sha256=row.sha256,
        uris=list(connection.scalars(uris)),
        width=row.width,
        height=row.height,
        format=row.format,
        detector=row.detector,
        outcome=row.outcome and str(row.outcome),
        reasons=row.reasons or [],
        group_id=row.group_id,
        split=row.split and str(row.split),
        origin=merged(origins_of(connection, [image_id]).get(image_id, [])),
    )


def portrait_history(connection: Connection, portrait_id: int) -> PortraitHistory:
    """Everything the rows say of a portrait."""
    query = sa.select(Portrait.__table__).where(Portrait.id == portrait_id)
    row = connection.execute(query).one()
    return PortraitHistory(
        portrait_id=row.id,
        ordinal=row.ordinal,
        crop_box=row.crop_box,
        rotation=row.rotation,
        face_box=row.face_box,
        face_confidence=row.face_confidence,
        detector=row.detector,
        blob=row.blob,
        created_at=row.created_at,
        settings=_settings(connection, row.settings_id),
        photo=photo_history(connection, row.image_id),
        masks=_masks(connection, portrait_id),
        releases=releases(connection, ReleaseItem.portrait_id == portrait_id),
    )


def releases(connection: Connection, condition: sa.ColumnElement[bool]) -> list[ReleaseHistory]:
    """Places in releases, oldest first, with what was trained on them.

    Args:
        connection: in a transaction.
        condition: on `ReleaseItem`.
    """
    query = (
        sa.select(ReleaseItem.__table__, Release.name.label("release"), Release.round)
        .add_columns(Release.path, Release.format, Release.checksum, Release.sealed_at)
        .join(Release, Release.id == ReleaseItem.release_id)
        .where(condition)
        .order_by(Release.id, ReleaseItem.id)
    )
    rows: Sequence[Any] = connection.execute(query).all()
    runs = _runs(connection, {row.release_id for row in rows})
    return [
        ReleaseHistory(
            name=row.release,
            round=row.round,
            path=row.path,
            format=row.format,
            checksum=row.checksum,
            sealed_at=row.sealed_at,
            item=row.name,
            split=str(row.split),
            trust=str(row.trust),
            mask_id=row.mask_id,
            runs=runs[row.release_id],
        )
        for row in rows
    ]


def _runs(connection: Connection, release_ids: set[int]) -> dict[int, list[RunHistory]]:
    found: dict[int, list[RunHistory]] = defaultdict(list)
    query = sa.select(
        Run.release_id,
        Run.folder,
        Run.checkpoint_sha256,
        Run.finished_at,
        Run.promoted_at,
        Run.forced,
    ).where(Run.release_id.in_(release_ids))
    for row in connection.execute(query.order_by(Run.id)):
        found[row.release_id].append(
            RunHistory(
                row.folder, row.checkpoint_sha256, row.finished_at, row.promoted_at, row.forced
            )
        )
    return found


def _masks(connection: Connection, portrait_id: int) -> list[MaskHistory]:
    query = sa.select(Mask.__table__).where(Mask.portrait_id == portrait_id)
    rows: Sequence[Any] = connection.execute(query.order_by(Mask.revision)).all()
    reviews = _reviews(connection, [row.id for row in rows])
    return [
        MaskHistory(
            mask_id=row.id,
            revision=row.revision,
            source=str(row.source),
            producer=row.producer,
            blob=row.blob,
            probability_blob=row.probability_blob,
            verdict=str(row.verdict),
            reasons=row.reasons or [],
            scores=row.scores or {},
            created_at=row.created_at,
            settings=_settings(connection, row.settings_id),
            reviews=reviews[row.id],
        )
        for row in rows
    ]


def _reviews(connection: Connection, mask_ids: list[int]) -> dict[int, list[ReviewHistory]]:
    found: dict[int, list[ReviewHistory]] = defaultdict(list)
    query = (
        sa.select(Review.__table__, ReviewRequest.purpose)
        .outerjoin(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(
            Review.mask_id.in_(mask_ids),
            # What a honeypot showed was not this mask, or was not asked to decide about it.
            sa.or_(Review.request_id.is_(None), ReviewRequest.purpose != Purpose.HONEYPOT),
        )
        .order_by(Review.decided_at, Review.id)
    )
    rows: Sequence[Any] = connection.execute(query).all()
    for row in rows:
        found[row.mask_id].append(
            ReviewHistory(
                reviewer=row.reviewer,
                decision=str(row.decision),
                purpose=row.purpose and str(row.purpose),
                decided_at=row.decided_at,
                seconds=row.seconds,
                reasons=row.reasons or [],
                comment=row.comment,
                fixed_mask_id=row.fixed_mask_id,
                withdrawn_at=row.withdrawn_at,
            )
        )
    return found


def _settings(connection: Connection, settings_id: int | None) -> dict[str, Any] | None:
    if settings_id is None:
        return None
    query = sa.select(SettingsUsed.settings).where(SettingsUsed.id == settings_id)
    return connection.scalar(query)
