"""The table of where files came from."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text

from db.models import Base
from db.tables import Column, column


class OriginRow(Base):
    """What is known of where one file came from: see `pipelines.origins.origin.Origin`."""

    __tablename__ = "origin"

    source_id: Column[int] = column(ForeignKey("source.id", ondelete="CASCADE"), primary_key=True)
    url: Column[str | None] = column(Text)
    page: Column[str | None] = column(Text)
    author: Column[str | None] = column(Text)
    licence: Column[str | None] = column(String)
    """An SPDX id, or the licence's address; null: it cannot be told from what was stated."""
    licence_stated: Column[str | None] = column(Text)
    opt_outs: Column[list[str]] = column(default=list)
    consent: Column[bool | None]
    """Of the people in it; null: nothing says."""
    downloaded_at: Column[datetime | None]
    c2pa: Column[bool] = column(default=False)
    """It carries content credentials, which were not verified."""
    evidence: Column[list[str]] = column(default=list)
    """Where all this was read."""
