"""Copying all rows from one database to another, of whatever kinds: all of them or none.

Who is at work is not copied, and what was in hand waits again. Numbers go on where they were, so
that an id which was used once comes back in no database.
"""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db import schema
from db.engine import display_name
from db.errors import DatabaseError, SchemaError
from db.models import Base, JobState
from db.writing import chunks

_LEFT_OUT: Final = {"owner", "lock", "put_note"}
_ROWS: Final = 1000

Told = Callable[[str, int], None]
"""Told the name of a table and how many rows more of it are done."""


def copy_rows(source: Connection, target: Engine, told: Told = lambda *_: None) -> int:
    """Make the tables in an empty database, fill them, and compare them row by row.

    Args:
        source: in a transaction in which nothing changes, of a database with today's tables.
        target: without tables.
        told: of each piece that was copied, and again of each that was compared.

    Returns:
        The number of rows.

    Raises:
        SchemaError: the target is not empty.
        DatabaseError: it cannot be written, cannot hold a row, or gave one back changed; nothing
            is in it then.
    """
    if schema.state(target) not in (schema.State.MISSING, schema.State.EMPTY):
        raise SchemaError(
            f"{display_name(target)} is not empty: name a new file or an empty database"
        )
    number = 0
    with schema.making(target) as connection:
        for table in reversed(tables()):
            connection.execute(sa.delete(table))
        for table in tables():
            number += _fill(source, connection, table, told)
            _go_on_counting(source, connection, table)
        for table in tables():
            _compare(source, connection, table, told)
    return number


def tables() -> list[sa.Table]:
    """What is copied, each table after those that it refers to."""
    return [each for each in Base.metadata.sorted_tables if each.name not in _LEFT_OUT]


def count_rows(connection: Connection) -> int:
    """How many there are to be copied."""
    counted = (sa.select(sa.func.count()).select_from(table) for table in tables())
    return sum(connection.scalar(each) or 0 for each in counted)


def _fill(source: Connection, target: Connection, table: sa.Table, told: Told) -> int:
    number = 0
    # Of rows that name others of their own table: those may come later.
    own = [key.parent.name for key in table.foreign_keys if key.column.table is table]
    later: list[dict[str, Any]] = []
    for rows in chunks(_rows(source, table), _ROWS):
        for row in rows:
            named = {name: row[name] for name in own if row[name] is not None}
            if named:
                later.append({"row_id": row["id"], **{f"own_{name}": row[name] for name in own}})
                row.update(dict.fromkeys(named))
        try:
            target.execute(sa.insert(table), rows)
        except (DBAPIError, UnicodeError, OverflowError) as error:
            reason = getattr(error, "orig", error)
            raise DatabaseError(
                f"{display_name(target.engine)} cannot hold a row of {table.name} after "
                f"{number:,} others: {str(reason).strip().partition(chr(10))[0]}"
            ) from error
        number += len(rows)
        told(table.name, len(rows))
    if later:
        one = sa.update(table).where(table.c.id == sa.bindparam("row_id"))
        target.execute(one.values({name: sa.bindparam(f"own_{name}") for name in own}), later)
    return number


def _compare(source: Connection, target: Connection, table: sa.Table, told: Told) -> None:
    for pairs in chunks(zip_longest(_rows(source, table), _rows(target, table)), _ROWS):
        for one, other in pairs:
            if one != other:
                row = one or other or {}
                key = {column.name: row[column.name] for column in table.primary_key}
                raise DatabaseError(
                    f"{display_name(target.engine)}: row {key} of {table.name} came back changed; "
                    "nothing was copied; please report it"
                )
        told(table.name, len(pairs))


def _rows(connection: Connection, table: sa.Table) -> Iterator[dict[str, Any]]:
    """All of a table, in the order of its key, as the copy has them."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    for row in connection.execute(query.execution_options(yield_per=_ROWS)):
        values = dict(row._mapping)
        if table.name == "job" and values["state"] == JobState.DOING:
            values |= {"state": JobState.TODO, "owner": None, "lease_until": None}
        yield values


def _go_on_counting(source: Connection, target: Connection, table: sa.Table) -> None:
    """Let the next id be the one after the last that was given, deleted ones included."""
    if not any(column is table.autoincrement_column for column in table.primary_key):
        return
    last = _last_id(source, table)
    if not last:
        return
    if target.dialect.name == "sqlite":
        if table.dialect_kwargs.get("sqlite_autoincrement"):
            target.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
            target.exec_driver_sql(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, last)
            )
        return
    target.execute(
        sa.text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"),
        {"name": table.name, "last": last},
    )


def _last_id(connection: Connection, table: sa.Table) -> int | None:
    highest = connection.scalar(sa.select(sa.func.max(table.c.id)))
    if connection.dialect.name == "sqlite":
        if not table.dialect_kwargs.get("sqlite_autoincrement"):
            return None if highest is None else int(highest)
        query = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    else:
        query = sa.text(
            "SELECT last_value FROM pg_sequences WHERE schemaname = current_schema() AND "
            "sequencename = :name || '_id_seq'"
        )
    counted = connection.scalar(query, {"name": table.name})
    return max((each for each in (highest, counted) if each is not None), default=None)
