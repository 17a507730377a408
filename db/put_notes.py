"""Blobs that processes put and no row names yet, where they share no folder to note them in.

Every function works in the caller's transaction, which is about this process's rows alone.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db.presence_models import PutNoteRow


def add(connection: Connection, owner: str, key: str) -> None:
    """Say that a process is about to put a blob."""
    connection.execute(sa.insert(PutNoteRow).values(owner=owner, key=key))


def strike_out(connection: Connection, owner: str) -> None:
    """Say that rows name all that a process has put, or never will."""
    connection.execute(sa.delete(PutNoteRow).where(PutNoteRow.owner == owner))


def of(connection: Connection, owners: Iterable[str]) -> set[str]:
    """Keys that these processes are about to name."""
    query = sa.select(PutNoteRow.key).where(PutNoteRow.owner.in_(list(owners)))
    return set(connection.scalars(query))
