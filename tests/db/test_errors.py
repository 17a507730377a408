"""`explain`: what real errors of the database become."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from db import explain, open_engine, reader


def fill(engine: Engine) -> None:
    with engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.exec_driver_sql("CREATE TABLE filler (x)")
        connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")


def write_as_a_reader(engine: Engine) -> None:
    with reader(engine).begin() as connection:
        connection.exec_driver_sql("DELETE FROM job")


def write_while_another_does(engine: Engine) -> None:
    other = sqlite3.connect(str(engine.url.database), isolation_level=None)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other.execute("BEGIN IMMEDIATE")
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM job")
    finally:
        other.close()


def write_to_garbage(engine: Engine) -> None:
    engine.dispose()
    Path(str(engine.url.database)).write_bytes(b"garbage" * 4096)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM job")


def ask_nonsense(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT * FROM nowhere"))


@pytest.mark.parametrize(
    ("provoke", "what", "advice"),
    [
        (fill, "cannot be written (database or disk is full)", "free some space and run the same"),
        (write_as_a_reader, "cannot be written (attempt to write a readonly", "permissions"),
        (write_while_another_does, "is busy (database is locked)", "run the same command again"),
        (write_to_garbage, "is damaged (file is not a database)", "restore it from a backup"),
        (ask_nonsense, "refused (no such table: nowhere)", ""),
    ],
)
def test_one_line_says_what_is_wrong_and_what_to_do(
    sqlite_engine: Engine, provoke: Callable[[Engine], None], what: str, advice: str
) -> None:
    with pytest.raises(DBAPIError) as caught:
        provoke(sqlite_engine)
    message = explain(caught.value)
    assert message is not None
    assert message.startswith(f"the database {what}")
    assert advice in message
    assert "\n" not in message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/missing/dataengine.db")
    with pytest.raises(OperationalError) as caught:
        engine.connect()
    assert explain(caught.value) == "the database refused (unable to open database file)"


@pytest.mark.parametrize("text", ["", "  \n", "first line\nsecond line"])
def test_only_the_first_line_of_any_driver_is_told(text: str) -> None:
    message = explain(OperationalError("SELECT 1", {}, sqlite3.OperationalError(text)))
    assert message is not None
    assert message.startswith("the database refused (")
    assert "\n" not in message


@pytest.mark.parametrize("error", [ValueError("disk is full"), OSError(28, "No space left")])
def test_other_errors_are_none_of_its_business(error: Exception) -> None:
    assert explain(error) is None
