"""The tables of quality: signals of masks, fitted scores, what they say; certificates."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text

from db.models import NEVER_REUSE_IDS, Base, Id, Seed, json_column, strings
from db.tables import Column, column
from db.times import utc_now


class MaskSignals(Base):
    """What a score is computed from, kept so that a refit need not look at pictures again."""

    __tablename__ = "mask_signals"

    mask_id: Column[int] = column(ForeignKey("mask.id", ondelete="CASCADE"), primary_key=True)
    version: Column[int] = column(Integer)
    """Of the signals' definition: other versions are computed anew."""
    values: Column[dict[str, float]]
    """By name."""


class PortraitTraits(Base):
    """What a portrait is like, whatever its masks: what slices are cut by."""

    __tablename__ = "portrait_traits"

    portrait_id: Column[int] = column(
        ForeignKey("portrait.id", ondelete="CASCADE"), primary_key=True
    )
    version: Column[int] = column(Integer)
    """Of the traits' definition: other versions are computed anew."""
    values: Column[dict[str, float]]
    """By name."""


class PortraitFeatures(Base):
    """What a network sees in a portrait, kept since a look takes 20 ms."""

    __tablename__ = "portrait_features"

    portrait_id: Column[int] = column(
        ForeignKey("portrait.id", ondelete="CASCADE"), primary_key=True
    )
    network: Column[str] = column(Text)
    """As it is recorded with masks; those of another one are computed anew, in their place."""
    vector: Column[bytes] = column(LargeBinary)
    """float32, little-endian."""


class ScoreModelRow(Base):
    """One fit of the combined score; never overwritten. The latest holds."""

    __tablename__ = "score_model"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    kind: Column[str] = column(String(16))
    """`default`, or how it was fitted."""
    parameters: Column[str] = column(Text)
    """As `pipelines.doubt.model.ScoreModel.to_json` writes it."""
    bad_below: Column[float]
    """A fixed mask counts as bad if its IoU with the pushed one is below this."""
    seed: Column[int] = column(Seed)
    review_ids: Column[list[int]]
    """The decisions it was fitted on."""
    evidence: Column[dict[str, Any]] = column(json_column)
    """What cross-validation found: see `pipelines.doubt.scoring.Evidence`."""
    created_at: Column[datetime] = column(default=utc_now)


class MaskDoubt(Base):
    """The probability, by one score model, that a reviewer would find a mask bad."""

    __tablename__ = "mask_doubt"

    score_model_id: Column[int] = column(ForeignKey("score_model.id"), primary_key=True)
    mask_id: Column[int] = column(
        ForeignKey("mask.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    doubt: Column[float]
    """In [0, 1]."""


class AttemptState(StrEnum):
    """How an attempt to certify a set of masks stands."""

    OPEN = "open"  # its audit waits for answers
    CERTIFIED = "certified"  # the bound holds; its masks are accepted
    FAILED = "failed"  # the audit found too many bad masks, or it was given up
    VOID = "void"  # what it was about has changed since


class CertificateAttempt(Base):
    """One attempt to prove that a listed set of masks is good; each spends its share of alpha."""

    __tablename__ = "certificate_attempt"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    number: Column[int] = column(unique=True)
    """1, 2, …: the n-th may spend alpha / 2^n."""
    state: Column[AttemptState] = column(strings(AttemptState, "state"))
    score_model_id: Column[int] = column(ForeignKey("score_model.id"))
    threshold: Column[float]
    """Masks up to this doubt are in the set."""
    max_error: Column[float]
    confidence: Column[float]
    """1 − alpha of all attempts together."""
    alpha: Column[float]
    """What this attempt may spend."""
    bad_below: Column[float]
    population: Column[int]
    """Masks in the set."""
    audit_size: Column[int]
    """Masks drawn so far."""
    seed: Column[int] = column(Seed)
    """Of the draw."""
    listed_sha256: Column[str] = column(String(64))
    """Of the listed masks' ids and blobs."""
    producers: Column[list[str]]
    """Who made the listed masks."""
    waves: Column[list[Any] | None] = column(json_column)
    """How its questions were drawn, see `pipelines.certify.betting`; null: uniformly, at once."""
    question_limit: Column[int | None]
    """Questions at most; null: as many as are worth it."""
    errors: Column[int | None]
    """Bad masks in the audit; null until it was judged."""
    bound: Column[float | None]
    """Upper bound on the share of bad masks among the accepted, at 1 − `alpha`."""
    reason: Column[str | None] = column(Text)
    """Why it failed or is void."""
    findings: Column[dict[str, Any] | None] = column(json_column)
    """What stands beside the bound: see `pipelines.certify.findings`; null until it was judged."""
    created_at: Column[datetime] = column(default=utc_now)
    judged_at: Column[datetime | None]


class AttemptItem(Base):
    """A mask of a listed set."""

    __tablename__ = "attempt_item"

    attempt_id: Column[int] = column(ForeignKey("certificate_attempt.id"), primary_key=True)
    mask_id: Column[int] = column(
        ForeignKey("mask.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    audited: Column[bool]
    """Drawn for the audit."""
    stratum: Column[int | None]
    """Of masks of like doubt, from the least on; null where the draw was uniform."""
    draw: Column[int | None]
    """0, 1, …: when it was drawn; null: it was not, or all were at once."""
