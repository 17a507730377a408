"""A consistent copy of a database that others are writing to, as a SQLite file."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db import owners, queue
from db.copying import copy_rows
from db.engine import open_engine, reader
from db.errors import DatabaseError
from db.presence_models import PutNoteRow


def copy_database(engine: Engine, target: Path) -> None:
    """Copy a database as it is at one moment, without who is at work in it.

    Args:
        engine: of the database; also one that was opened to read.
        target: file to make.

    Raises:
        DatabaseError: the database cannot be copied.
    """
    if engine.dialect.name != "sqlite":
        _copy_from_server(engine, target)
        return
    try:
        with engine.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            copied = sqlite3.connect(target)
            try:
                # All pages in one step: it holds a reader's snapshot, and no writer waits for it.
                source.backup(copied)
            finally:
                copied.close()
    except sqlite3.Error as error:
        raise DatabaseError(f"{target}: the database cannot be copied ({error})") from error
    _let_nobody_be_at_work(target)


def _copy_from_server(engine: Engine, target: Path) -> None:
    copied = open_engine(sa.URL.create("sqlite", database=str(target)))
    try:
        with reader(engine).begin() as connection:
            copy_rows(connection, copied)
    finally:
        copied.dispose()


def find_damage(engine: Engine) -> str | None:
    """What SQLite finds wrong with its file; None: nothing, or another kind of database."""
    if engine.dialect.name != "sqlite":
        return None
    with engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    return None if found == "ok" else str(found)


def _let_nobody_be_at_work(file: Path) -> None:
    copied = open_engine(sa.URL.create("sqlite", database=str(file)))
    try:
        with copied.begin() as connection:
            for name in queue.owners(connection):
                queue.release(connection, name)
            for name in owners.present(connection):
                owners.leave(connection, name)
            connection.execute(sa.delete(PutNoteRow))
    finally:
        copied.dispose()
