"""The tables of what leaves the queue: releases, training runs, and who asked to be forgotten."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint

from db.models import NEVER_REUSE_IDS, Base, Id, Split, json_column, strings
from db.tables import Column, column
from db.times import utc_now


class Trust(StrEnum):
    """Why a released mask is trusted."""

    ACCEPTED = "accepted"  # a person saw it and accepted it
    FIXED = "fixed"  # a person drew it in review
    IMPORTED = "imported"  # a person's mask that came with the image
    CERTIFIED = "certified"  # accepted under a statistical certificate


class Release(Base):
    """An immutable dataset that was written."""

    __tablename__ = "release"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    name: Column[str] = column(String, unique=True)
    """``round-N``, or ``export-ID`` for what `export` wrote."""
    round: Column[int | None] = column(unique=True)
    path: Column[str] = column(Text)
    """Absolute, or relative to the workspace."""
    format: Column[str] = column(String(16))
    checksum: Column[str] = column(String(64))
    """SHA-256 of its checksums.txt."""
    created_at: Column[datetime] = column(default=utc_now)
    sealed_at: Column[datetime | None]
    """When its folder was in place; null: the writing was cut off before or after that."""


class Forgotten(Base):
    """A photo that was removed on request; it and its copies are refused when they are offered."""

    __tablename__ = "forgotten"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    sha256: Column[str] = column(String(64), unique=True)
    tombstone: Column[bytes | None] = column(LargeBinary)
    """By which copies are known, see `near_duplicates.tombstone`; null: by bytes alone."""
    forgotten_at: Column[datetime] = column(default=utc_now)
    unfinished: Column[list[str] | None]
    """Store keys of files that may still be there; null once all of it is gone."""


class Admitted(Base):
    """Bytes that the operator let in although they are, or look like, a forgotten photo."""

    __tablename__ = "admitted"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    sha256: Column[str] = column(String(64), unique=True)
    admitted_at: Column[datetime] = column(default=utc_now)


class NegativeAudit(Base):
    """A random sample of the photos in which no face was found, shown to a person."""

    __tablename__ = "negative_audit"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    image_ids: Column[list[int]]
    """Whom it speaks of, the sample included."""
    drawn: Column[list[int]]
    """The sample."""
    max_error: Column[float]
    """The share of them with somebody that is to be ruled out."""
    confidence: Column[float]
    alpha: Column[float]
    """What of 1 − confidence this audit spends."""
    drawn_at: Column[datetime]
    judged_by: Column[str | None] = column(String)
    judged_at: Column[datetime | None]
    """Null: the sample has not been looked at."""
    errors: Column[int | None]
    """Photos of the sample with somebody in them."""
    certified: Column[bool | None]


class Negative(Base):
    """A photo without anybody, by a person or by an audit; released with an empty mask."""

    __tablename__ = "negative"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    image_id: Column[int] = column(ForeignKey("image.id"), unique=True)
    blob: Column[str] = column(String)
    """Store key of the photo as JPEG, upright, maybe smaller."""
    mask_blob: Column[str] = column(String)
    """Store key of an empty mask of its size."""
    width: Column[int]
    """Of the JPEG in pixels, like `height`."""
    height: Column[int]
    confirmed_by: Column[str] = column(String)
    confirmed_at: Column[datetime]
    audit_id: Column[int | None]
    """Of `NegativeAudit`, where nobody looked at this photo itself."""


class ReleaseItem(Base):
    """A portrait in a release. Its own copy of what was true then: rows it names may be gone."""

    __tablename__ = "release_item"
    __table_args__: Any = (
        UniqueConstraint("release_id", "name"),
        Index(None, "portrait_id"),
        Index(None, "image_sha256"),
        Index(None, "mask_sha256"),
        NEVER_REUSE_IDS,
    )

    id: Column[int] = column(Id, primary_key=True)
    release_id: Column[int] = column(ForeignKey("release.id"))
    name: Column[str] = column(String)
    """Of its files, without suffix."""
    portrait_id: Column[int | None] = column(ForeignKey("portrait.id"))
    """Null after its photo was forgotten, like `mask_id`."""
    mask_id: Column[int | None] = column(ForeignKey("mask.id"))
    forgotten_id: Column[int | None] = column(ForeignKey("forgotten.id"))
    split: Column[Split] = column(strings(Split, "split"))
    trust: Column[Trust] = column(strings(Trust, "trust"))
    image_sha256: Column[str] = column(String(64))
    """Of the released picture's bytes: those of the portrait's blob."""
    mask_sha256: Column[str] = column(String(64))
    """Of the released mask's bytes: those of the mask's blob."""


class Run(Base):
    """A training run on a release."""

    __tablename__ = "run"
    __table_args__: Any = (Index("uq_run_promotion", "promotion", unique=True), NEVER_REUSE_IDS)

    id: Column[int] = column(Id, primary_key=True)
    release_id: Column[int] = column(ForeignKey("release.id"), index=True)
    folder: Column[str] = column(Text, unique=True)
    """Relative to the workspace."""
    request: Column[dict[str, Any]] = column(json_column)
    """What decides its result: configuration with seed, initial weights, teacher, device."""
    code_revision: Column[str] = column(String)
    machine: Column[str] = column(String)
    checkpoint_sha256: Column[str | None] = column(String(64))
    """Of the weights' file; null while it is being trained."""
    metrics: Column[dict[str, Any] | None] = column(json_column)
    """On the release's test split, with intervals; null if there is none."""
    gate: Column[dict[str, Any] | None] = column(json_column)
    """How it compares with the student that was current, and what follows from it."""
    seconds: Column[float] = column(default=0.0)
    """It was trained for, interruptions left out."""
    started_at: Column[datetime] = column(default=utc_now)
    finished_at: Column[datetime | None]
    promoted_at: Column[datetime | None]
    """When it became the current student: for people, since clocks may go backwards."""
    promotion: Column[int | None]
    """The how-manieth promotion that was; the highest is the current student."""
    forced: Column[bool] = column(default=False)
    """Promoted by hand, against or without the gate."""
