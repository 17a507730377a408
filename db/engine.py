"""Connections: the one place where an engine is made and its transactions are begun.

What PostgreSQL needs is in `db.postgres`. SQLite is set up so that many processes can share one
file: write-ahead log (readers and the one writer do not wait for each other), `BEGIN IMMEDIATE` (a
transaction that will write takes its turn at its beginning; one that read first and wrote later
would fail in the middle instead of waiting), and a busy timeout for that turn. The driver itself is
left in autocommit, because its own implicit `BEGIN` comes too late and not at all before DDL.
"""

import json
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import Pool

from db import postgres
from db.errors import DatabaseError

BUSY_TIMEOUT_SECONDS = 30.0

to_json = partial(json.dumps, allow_nan=False)
"""What is stored in a column of JSON is read by other programs, too, which know no NaN."""

_READ_ONLY = "dataengine_read_only"
_TURN = "dataengine_turn"

_engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()
_inherited: list[Pool] = []


class Turn(Enum):
    """How a transaction that writes goes with others."""

    ALONE = auto()  # no other one writes meanwhile
    BESIDE = auto()  # others of its kind may
    NONE = auto()  # any other may


def open_engine(url: str | URL) -> Engine:
    """Make an engine for a database; nothing is opened until it is first used.

    Idle connections are pooled, since opening a SQLite file costs more than a small transaction.
    The engine may be used by a forked child: the child starts with an empty pool and leaves its
    parent's connections alone. Fork outside of transactions. It cannot be pickled; a spawned
    process calls `open_engine` itself.

    Args:
        url: an SQLAlchemy URL, as text or object: ``sqlite:////absolute/file.db``, or
            ``postgresql://USER@HOST/NAME`` (with the extra `postgres`). What it does not say comes
            from the environment and files that every PostgreSQL client reads: PGPASSWORD,
            ``~/.pgpass``, ``?service=NAME``.

    Raises:
        DatabaseError: the URL is malformed, names another kind of database, an in-memory one
            (which other processes could not see), or a driver that is not installed.
    """
    parsed = parse_url(url)
    options: dict[str, Any] = {"json_serializer": to_json}
    if parsed.get_backend_name() == "sqlite":
        options["connect_args"] = {"isolation_level": None, "timeout": BUSY_TIMEOUT_SECONDS}
    else:
        options |= postgres.engine_options(parsed, BUSY_TIMEOUT_SECONDS)
    try:
        engine = sa.create_engine(parsed, **options)
    except ImportError as error:
        raise DatabaseError(
            f"{postgres.shown_url(parsed)} needs the Python package psycopg, which is not "
            "installed: `pip install 'portrait-dataengine[postgres]'`"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", begin_sqlite)
    else:
        postgres.set_up(engine, _begin_postgres)
    remember(engine)
    return engine


def remember(engine: Engine) -> None:
    """Let a forked child leave this engine's connections alone."""
    _engines.add(engine)


def reader(engine: Engine) -> Engine:
    """The same database and pool for reading only.

    Its transactions see one consistent snapshot, never wait for a writer nor keep one waiting. A
    statement that writes fails with a `sqlalchemy.exc.DBAPIError`.
    """
    options: dict[str, Any] = {_READ_ONLY: True}
    if engine.dialect.name != "sqlite":
        options |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    return engine.execution_options(**options)


def beside(engine: Engine) -> Engine:
    """The same database and pool for transactions that may write beside each other.

    They read nothing that another of them may change, or lock the rows first; any other
    transaction that writes waits for them, and they for it. On SQLite, which has one writer at a
    time, this changes nothing.
    """
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(**{_TURN: Turn.BESIDE})


def unordered(engine: Engine) -> Engine:
    """The same for what waits for nobody: a single statement about a row that is one's own.

    Otherwise a heart would stop for as long as another process writes.
    """
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(**{_TURN: Turn.NONE})


@contextmanager
def session_lock(engine: Engine, name: str) -> Iterator[bool]:
    """Hold a lock of PostgreSQL's as long as this process is connected, however it ends.

    A process that is silent, and so taken for dead, still holds it if it only was stopped.

    Yields:
        False: another session holds it; True also where there is no such lock, in SQLite.
    """
    if engine.dialect.name == "sqlite":
        yield True
        return
    alone = unordered(engine).execution_options(isolation_level="AUTOCOMMIT")
    with alone.connect() as connection, postgres.session_lock(connection, name) as got:
        yield got


def overwrite_what_was_deleted(engine: Engine) -> None:
    """Leave nothing of deleted rows in SQLite's files, as far as nobody reads them just now.

    The database's own pages are overwritten as they are freed; this empties the write-ahead log,
    which still holds them as they were. PostgreSQL's `VACUUM` is its administrator's.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def sqlite_file(engine: Engine) -> Path | None:
    """The file behind a SQLite engine; None for other databases and for SQLite's `file:` URIs."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name.startswith("file:"):
        return None
    return Path(name)


def display_name(engine: Engine) -> str:
    """What to call this database in a message: its file, or its URL without the password."""
    if engine.dialect.name != "sqlite":
        return postgres.shown_url(engine.url)
    return str(sqlite_file(engine) or engine.url)


def parse_url(url: str | URL) -> URL:
    """Read a database URL.

    Raises:
        DatabaseError: as `open_engine`.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError(
            "the database URL cannot be read: write it like sqlite:////folder/dataengine.db"
        ) from error
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql", "postgres"):
        raise DatabaseError(f"{backend} databases are not supported: use sqlite or postgresql")
    if backend != "sqlite":
        return postgres.complete_url(parsed)
    if not parsed.database or ":memory:" in parsed.database:
        raise DatabaseError(
            "an in-memory database cannot be shared between processes: name a file, "
            "like sqlite:////folder/dataengine.db"
        )
    return parsed


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    _use_write_ahead_log(connection)
    # With a write-ahead log this loses no consistency; a power cut may undo the last commits,
    # whose jobs are then simply done again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten: a forgotten photo is not left in the file's free pages.
    connection.execute("PRAGMA secure_delete = ON")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging once; it stays so.

    SQLite does not honour its busy timeout for this switch, so processes that open a new file at
    the same moment have to wait for each other here.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def begin_sqlite(connection: Connection) -> None:
    """Begin a transaction of the kind that the connection's options say."""
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    # Readers and writers share pooled connections; the pragma outlives the transaction.
    if connection.info.get(_READ_ONLY, False) != read_only:
        connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
        connection.info[_READ_ONLY] = read_only
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    options = connection.get_execution_options()
    turn = options.get(_TURN, Turn.ALONE)
    if not options.get(_READ_ONLY, False) and turn is not Turn.NONE:
        postgres.take_turn(connection, beside=turn is Turn.BESIDE)


def _forget_parents_connections() -> None:
    for engine in list(_engines):
        # Even closing them would disturb the parent (SQLite releases locks of the whole file,
        # PostgreSQL's server ends the session): keep them referenced, untouched, for good.
        _inherited.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_parents_connections)
