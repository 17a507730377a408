"""The tables of quality: signals of masks, fitted scores, and what they say."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.models import NEVER_REUSE_IDS, Base, Id, json_column, utc_now


class MaskSignals(Base):
    """What a score is computed from, kept so that a refit need not look at pictures again."""

    __tablename__ = "mask_signals"

    mask_id: Mapped[int] = mapped_column(
        ForeignKey("mask.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer)
    """Of the signals' definition: other versions are computed anew."""
    values: Mapped[dict[str, float]]
    """By name."""


class ScoreModelRow(Base):
    """One fit of the combined score; never overwritten. The latest holds."""

    __tablename__ = "score_model"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """`default`, or how it was fitted."""
    parameters: Mapped[str] = mapped_column(Text)
    """As `pipelines.quality.model.ScoreModel.to_json` writes it."""
    bad_below: Mapped[float]
    """A fixed mask counts as bad if its IoU with the pushed one is below this."""
    seed: Mapped[int]
    review_ids: Mapped[list[int]]
    """The decisions it was fitted on."""
    evidence: Mapped[dict[str, Any]] = mapped_column(json_column)
    """What cross-validation found: see `pipelines.quality.scoring.Evidence`."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class MaskDoubt(Base):
    """The probability, by one score model, that a reviewer would find a mask bad."""

    __tablename__ = "mask_doubt"

    score_model_id: Mapped[int] = mapped_column(ForeignKey("score_model.id"), primary_key=True)
    mask_id: Mapped[int] = mapped_column(
        ForeignKey("mask.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    doubt: Mapped[float]
    """In [0, 1]."""
