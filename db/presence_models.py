"""The tables of who is at work: processes with their heartbeats, their notes, and locks."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text

from db.models import Base, Id
from db.tables import Column, column
from db.times import utc_now


class WorkspaceRow(Base):
    """Which workspace this database belongs to: one row."""

    __tablename__ = "workspace"

    id: Column[int] = column(Id, primary_key=True)
    key: Column[str] = column(String(32), unique=True)
    """Random hexadecimal digits, also in the settings file and in the store."""
    store: Column[str | None] = column(String(32))
    """Token of the store that holds the blobs; null until it is first opened to write."""


class OwnerRow(Base):
    """A process that has the workspace open to write; written by `db.owners` alone."""

    __tablename__ = "owner"

    id: Column[int] = column(Id, primary_key=True)
    name: Column[str] = column(String, unique=True)
    """In jobs and temporary files; no other process, past or present, has it."""
    host: Column[str] = column(String)
    place: Column[str] = column(Text)
    """Kernel and folder of its lock file: who shares both can try the lock."""
    pid: Column[int]
    command: Column[str] = column(Text)
    """As it was started, for people."""
    started_at: Column[datetime] = column(default=utc_now)
    """By its own clock, for people: nothing is decided by it."""
    beats: Column[int] = column(default=0)
    """Counted up every few seconds as long as it lives."""


class LockRow(Base):
    """Something that only one process may do at a time, while one does it."""

    __tablename__ = "lock"

    name: Column[str] = column(String, primary_key=True)
    owner_id: Column[int] = column(ForeignKey("owner.id", ondelete="CASCADE"), index=True)
    taken_at: Column[datetime] = column(default=utc_now)
    """For people, as `owner.started_at`."""


class PutNoteRow(Base):
    """A blob that a process puts and no row names yet; written by `db.put_notes` alone."""

    __tablename__ = "put_note"

    id: Column[int] = column(Id, primary_key=True)
    owner: Column[str] = column(String, index=True)
    """Name of the process."""
    key: Column[str] = column(String)
    """Of the blob."""
