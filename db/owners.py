"""Who is at work: processes as rows with a heartbeat, and locks that are theirs.

No clock is ever compared with another: a process is taken for dead when its count of beats stood
still while somebody else's went on, or when whoever can try its lock file finds it free (see
`pipelines.workspace.owners`). Every function works in the caller's transaction.
"""

from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db.presence_models import LockRow, OwnerRow
from db.writing import insert_new


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process at work; fields as in `db.OwnerRow`."""

    name: str
    host: str
    place: str
    pid: int
    command: str
    started_at: datetime
    beats: int = 0


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lock.

    Attributes:
        owner: the process.
        since: by its own clock, for people.
    """

    owner: Owner
    since: datetime


def enter(connection: Connection, owner: Owner) -> None:
    """Note a process, unless it is."""
    insert_new(connection, OwnerRow, [vars(owner)])


def leave(connection: Connection, name: str) -> None:
    """Forget a process and free its locks."""
    ids = sa.select(OwnerRow.id).where(OwnerRow.name == name)
    connection.execute(sa.delete(LockRow).where(LockRow.owner_id.in_(ids)))
    connection.execute(sa.delete(OwnerRow).where(OwnerRow.name == name))


def beat(connection: Connection, owner: Owner) -> None:
    """Count a process's heartbeat up; note it anew if somebody took it for dead."""
    counted = sa.update(OwnerRow).where(OwnerRow.name == owner.name)
    if not connection.execute(counted.values(beats=OwnerRow.beats + 1)).rowcount:
        enter(connection, owner)


def present(connection: Connection) -> dict[str, Owner]:
    """All processes that have not left, by name; some may be dead."""
    query = sa.select(*_OWNER).order_by(OwnerRow.id)
    return {row.name: _owner(row._mapping) for row in connection.execute(query)}


def take(connection: Connection, lock: str, owner: str) -> Holder | None:
    """Take a lock for a process that has entered.

    Returns:
        None if it is the process's now; otherwise who holds it, maybe the same process.
    """
    own = connection.scalars(sa.select(OwnerRow.id).where(OwnerRow.name == owner)).one()
    if insert_new(connection, LockRow, [{"name": lock, "owner_id": own}]):
        return None
    return holder(connection, lock)


def holder(connection: Connection, lock: str) -> Holder | None:
    """Who holds a lock; None: nobody."""
    query = (
        sa.select(*_OWNER, LockRow.taken_at)
        .join(LockRow, LockRow.owner_id == OwnerRow.id)
        .where(LockRow.name == lock)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return Holder(owner=_owner(row._mapping), since=row._mapping[LockRow.taken_at.name])


def free(connection: Connection, lock: str, owner: str) -> None:
    """Give a lock back, if the process still holds it."""
    ids = sa.select(OwnerRow.id).where(OwnerRow.name == owner)
    held = sa.delete(LockRow).where(LockRow.name == lock, LockRow.owner_id.in_(ids))
    connection.execute(held)


_OWNER = [OwnerRow.__table__.c[field.name] for field in fields(Owner)]


def _owner(row: sa.RowMapping) -> Owner:
    return Owner(**{column.name: row[column.name] for column in _OWNER})
