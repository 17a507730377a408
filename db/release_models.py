"""The tables of what leaves the queue: releases, training runs, and who asked to be forgotten."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.models import NEVER_REUSE_IDS, Base, Id, Split, json_column, strings, utc_now


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

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String, unique=True)
    """``round-N``, or ``export-ID`` for what `export` wrote."""
    round: Mapped[int | None] = mapped_column(unique=True)
    path: Mapped[str] = mapped_column(Text)
    """Absolute, or relative to the workspace."""
    format: Mapped[str] = mapped_column(String(16))
    checksum: Mapped[str] = mapped_column(String(64))
    """SHA-256 of its checksums.txt."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    sealed_at: Mapped[datetime | None]
    """When its folder was in place; null: the writing was cut off before or after that."""


class Forgotten(Base):
    """A photo that was removed on request; it and its copies are refused when they are offered."""

    __tablename__ = "forgotten"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    tombstone: Mapped[bytes | None] = mapped_column(LargeBinary)
    """By which copies are known: `pipelines.near_duplicates.tombstone`; null: by bytes alone."""
    forgotten_at: Mapped[datetime] = mapped_column(default=utc_now)


class Admitted(Base):
    """Bytes that the operator let in although they are, or look like, a forgotten photo."""

    __tablename__ = "admitted"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    admitted_at: Mapped[datetime] = mapped_column(default=utc_now)


class Negative(Base):
    """A photo that a person has confirmed nobody is in; released with an empty mask."""

    __tablename__ = "negative"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"), unique=True)
    blob: Mapped[str] = mapped_column(String)
    """Store key of the photo as JPEG, upright, maybe smaller."""
    mask_blob: Mapped[str] = mapped_column(String)
    """Store key of an empty mask of its size."""
    width: Mapped[int]
    """Of the JPEG in pixels, like `height`."""
    height: Mapped[int]
    confirmed_by: Mapped[str] = mapped_column(String)
    confirmed_at: Mapped[datetime]


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

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"))
    name: Mapped[str] = mapped_column(String)
    """Of its files, without suffix."""
    portrait_id: Mapped[int | None] = mapped_column(ForeignKey("portrait.id"))
    """Null after its photo was forgotten, like `mask_id`."""
    mask_id: Mapped[int | None] = mapped_column(ForeignKey("mask.id"))
    forgotten_id: Mapped[int | None] = mapped_column(ForeignKey("forgotten.id"))
    split: Mapped[Split] = mapped_column(strings(Split, "split"))
    trust: Mapped[Trust] = mapped_column(strings(Trust, "trust"))
    image_sha256: Mapped[str] = mapped_column(String(64))
    """Of the released picture's bytes: those of the portrait's blob."""
    mask_sha256: Mapped[str] = mapped_column(String(64))
    """Of the released mask's bytes: those of the mask's blob."""


class Run(Base):
    """A training run on a release."""

    __tablename__ = "run"
    __table_args__: Any = (Index("uq_run_promotion", "promotion", unique=True), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), index=True)
    folder: Mapped[str] = mapped_column(Text, unique=True)
    """Relative to the workspace."""
    request: Mapped[dict[str, Any]] = mapped_column(json_column)
    """What decides its result: configuration with seed, initial weights, teacher, device."""
    code_revision: Mapped[str] = mapped_column(String)
    machine: Mapped[str] = mapped_column(String)
    checkpoint_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the weights' file; null while it is being trained."""
    metrics: Mapped[dict[str, Any] | None] = mapped_column(json_column)
    """On the release's test split, with intervals; null if there is none."""
    gate: Mapped[dict[str, Any] | None] = mapped_column(json_column)
    """How it compares with the student that was current, and what follows from it."""
    seconds: Mapped[float] = mapped_column(default=0.0)
    """It was trained for, interruptions left out."""
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    promoted_at: Mapped[datetime | None]
    """When it became the current student: for people, since clocks may go backwards."""
    promotion: Mapped[int | None]
    """The how-manieth promotion that was; the highest is the current student."""
    forced: Mapped[bool] = mapped_column(default=False)
    """Promoted by hand, against or without the gate."""
