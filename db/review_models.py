"""The tables of human review: where it happens, what was asked, what was answered."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint

from db.models import (
    NEVER_REUSE_IDS,
    Base,
    Decision,
    Id,
    Purpose,
    RequestState,
    strings,
)
from db.tables import Column, column
from db.times import utc_now


class ReviewProject(Base):
    """A Label Studio project that requests of this workspace were sent to."""

    __tablename__ = "review_project"
    __table_args__: Any = (UniqueConstraint("url", "server_project_id"), NEVER_REUSE_IDS)

    id: Column[int] = column(Id, primary_key=True)
    url: Column[str] = column(Text)
    """The server's base URL, without a slash at its end; where it was seen last."""
    server_project_id: Column[int | None] = column(BigInteger)
    """Null while it is being made, and after that was cut off."""
    title: Column[str] = column(Text)
    nonce: Column[str] = column(String(32), unique=True)
    """Random, in the project's description: another project of this URL and number lacks it."""
    pulled_until: Column[datetime | None]
    """Update time, by the server's clock, up to which every task was pulled; null: none was."""
    created_at: Column[datetime] = column(default=utc_now)


class ReviewRequest(Base):
    """One question to people: is this revision of this portrait's mask good?"""

    __tablename__ = "review_request"
    __table_args__: Any = (
        UniqueConstraint("mask_id", "purpose", "replicate"),
        Index(None, "state", "id"),
        Index(None, "portrait_id"),
        NEVER_REUSE_IDS,
    )

    id: Column[int] = column(Id, primary_key=True)
    key: Column[str] = column(String(32), unique=True)
    """Random, opaque: `sample_id` in the task's data, by which it is found again."""
    portrait_id: Column[int] = column(ForeignKey("portrait.id"))
    mask_id: Column[int] = column(ForeignKey("mask.id"))
    """The revision that is shown, and that the decision is about."""
    purpose: Column[Purpose] = column(strings(Purpose, "purpose"))
    replicate: Column[int]
    """0, 1, …: above 0 the same question again, because people disagreed or to compare."""
    drawn_at_random: Column[bool]
    """Drawn uniformly from all that could have been asked, so that shares may be estimated."""
    project_id: Column[int] = column(ForeignKey("review_project.id"))
    task_id: Column[int | None] = column(BigInteger)
    """The server's; null until it is known."""
    state: Column[RequestState] = column(strings(RequestState, "state"))
    problem: Column[str | None] = column(Text)
    """Why an answer that came cannot be used, in words."""
    created_at: Column[datetime] = column(default=utc_now)
    posted_at: Column[datetime | None]
    """When sending it was last begun."""
    sent_at: Column[datetime | None]
    """When its task was known to be on the server."""


class Honeypot(Base):
    """A question whose answer is known: a mask people trust, shown as it is or spoilt on purpose.

    What is shown here is nobody's mask: no row of `mask` names it, so nothing can learn from it.
    """

    __tablename__ = "honeypot"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    request_id: Column[int] = column(
        ForeignKey("review_request.id", ondelete="CASCADE"), unique=True
    )
    shown_blob: Column[str | None] = column(String)
    """Store key of the spoilt mask; null: the request's mask is shown as it is."""
    damage: Column[str | None] = column(String(16))
    """How it was spoilt; null: it was not."""
    iou: Column[float]
    """Of what is shown with the trusted mask; 1 for one that was not spoilt."""


class Review(Base):
    """One person's (or one rule's) decision on one mask revision; never overwritten."""

    __tablename__ = "review"
    __table_args__: Any = (
        UniqueConstraint("request_id", "annotation_id", "annotation_updated_at"),
        Index(None, "mask_id"),
        NEVER_REUSE_IDS,
    )

    id: Column[int] = column(Id, primary_key=True)
    mask_id: Column[int] = column(ForeignKey("mask.id"))
    """The revision that was shown."""
    request_id: Column[int | None] = column(ForeignKey("review_request.id"))
    """Null for a decision nobody was asked for: a certificate's, or one from the gallery."""
    decision: Column[Decision] = column(strings(Decision, "decision"))
    reviewer: Column[str] = column(Text)
    """E-mail address on the server, the name given to `gallery pull`, or the rule's name."""
    decided_at: Column[datetime]
    seconds: Column[float | None]
    """Time it took, as the server measured it."""
    reasons: Column[list[str]] = column(default=list)
    """Why it was rejected: machine-readable codes."""
    comment: Column[str | None] = column(Text)
    annotation_id: Column[int | None] = column(BigInteger)
    annotation_updated_at: Column[datetime | None]
    """With `annotation_id`: which state of which annotation this was read from."""
    fixed_mask_id: Column[int | None] = column(ForeignKey("mask.id"))
    """For `fix`: the revision the reviewer drew."""
    fixed_iou: Column[float | None]
    """For `fix`: its IoU with what was shown; null if that was not recorded when it came."""
    marks: Column[list[dict[str, Any]] | None]
    """For `fix`: clicks and boxes that made it, in order; null: none did."""
    withdrawn_at: Column[datetime | None]
    """When it was seen deleted, skipped or decided anew on the server; null while it holds."""


class Tag(StrEnum):
    """What a person says of a mask in the gallery, unasked."""

    REVIEW = "review"  # somebody should look at it
    FIX = "fix"  # somebody should redraw it: before all that should be looked at
    REJECT = "reject"  # a decision: not to be used


class GalleryTag(Base):
    """What a person said of a mask in the gallery; noted once, however often it is pulled."""

    __tablename__ = "gallery_tag"
    __table_args__: Any = (Index(None, "mask_id"), NEVER_REUSE_IDS)

    id: Column[int] = column(Id, primary_key=True)
    key: Column[str] = column(String(32), unique=True)
    """Random, given when it was set in the gallery: setting it again is another one."""
    mask_id: Column[int] = column(ForeignKey("mask.id"))
    """The revision that was shown."""
    tag: Column[Tag] = column(strings(Tag, "tag"))
    tagged_by: Column[str] = column(Text)
    tagged_at: Column[datetime]
    review_id: Column[int | None] = column(ForeignKey("review.id"))
    """For `reject`: the decision."""
    request_id: Column[int | None] = column(ForeignKey("review_request.id"))
    """For the others: the question that came of it; null: nobody was asked yet."""
    withdrawn_at: Column[datetime | None]
    """When it was seen taken away in the gallery, or came too late: its mask had been replaced."""


class TaskRemoval(Base):
    """A task whose photo was forgotten, and that may be on the server until it is deleted there.

    Written in the transaction that removes its request, so that a server that is away, or a
    process that dies, leaves no task behind that nobody knows of.
    """

    __tablename__ = "task_removal"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    project_id: Column[int] = column(ForeignKey("review_project.id"))
    key: Column[str] = column(String(32), unique=True)
    """The request's, in the task's data."""
    task_id: Column[int | None] = column(BigInteger)
    """The server's, if it was known."""
    created_at: Column[datetime] = column(default=utc_now)
