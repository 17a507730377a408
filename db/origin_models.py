"""The table of where files came from."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.models import Base


class OriginRow(Base):
    """What is known of where one file came from: see `pipelines.origins.origin.Origin`."""

    __tablename__ = "origin"

    source_id: Mapped[int] = mapped_column(
        ForeignKey("source.id", ondelete="CASCADE"), primary_key=True
    )
    url: Mapped[str | None] = mapped_column(Text)
    page: Mapped[str | None] = mapped_column(Text)
    author: Mapped[str | None] = mapped_column(Text)
    licence: Mapped[str | None] = mapped_column(String)
    """An SPDX id, or the licence's address; null: it cannot be told from what was stated."""
    licence_stated: Mapped[str | None] = mapped_column(Text)
    opt_outs: Mapped[list[str]] = mapped_column(default=list)
    consent: Mapped[bool | None]
    """Of the people in it; null: nothing says."""
    downloaded_at: Mapped[datetime | None]
    c2pa: Mapped[bool] = mapped_column(default=False)
    """It carries content credentials, which were not verified."""
    evidence: Mapped[list[str]] = mapped_column(default=list)
    """Where all this was read."""
