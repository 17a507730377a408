"""All rows from one kind of database to the other and back, or none."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db import (
    Base,
    DatabaseError,
    Forgotten,
    Image,
    JobRow,
    JobState,
    Source,
    Stage,
    copy_rows,
    copying,
    count_rows,
    open_engine,
    queue,
    reader,
    schema,
)
from tests.db.any_rows import any_rows
from tests.postgres import server


@pytest.fixture
def empty() -> Iterator[Engine]:
    """A server's database without tables."""
    with server().database(empty=True) as name:
        engine = open_engine(server().url(name))
        yield engine
        engine.dispose()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Engine]:
    """A database file that is not there yet."""
    engine = open_engine(f"sqlite:///{tmp_path}/new.db")
    yield engine
    engine.dispose()


def rows_of(engine: Engine) -> dict[str, list[Any]]:
    with reader(engine).begin() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
            if table.name not in ("owner", "lock", "put_note")
        }


def fill(engine: Engine) -> None:
    """A row in every table; and what is odd: a later row that is named, a number that is gone."""
    with engine.connect() as connection, connection.begin() as undone:
        connection.execute(sa.insert(Forgotten).values(sha256="nobody"))
        undone.rollback()
    with engine.begin() as connection:
        any_rows(connection)
        image = {"sha256": "b", "size_bytes": 2**40, "phash": -(2**63), "reasons": ["é", "\x01"]}
        image |= {"added_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)}
        for row in (image, {"sha256": "c", "size_bytes": 0}):
            connection.execute(sa.insert(Image), row)
        connection.execute(sa.update(Image).where(Image.sha256 != "c").values(group_id=2))
        connection.execute(sa.update(Image).where(Image.sha256 != "c").values(descriptor=b"\0\xff"))
        connection.execute(sa.delete(Image).where(Image.sha256 == "c"))
        queue.enqueue(connection, Stage.DETECT, range(2500))
        queue.claim(connection, Stage.DETECT, "somebody", 3, lease_seconds=60)


def copy(source: Engine, target: Engine) -> int:
    told = 0

    def tell(_: str, number: int) -> None:
        nonlocal told
        told += number

    with reader(source).begin() as connection:
        rows = copy_rows(connection, target, tell)
        assert told == 2 * rows == 2 * count_rows(connection)
    return rows


def test_there_and_back(sqlite_engine: Engine, empty: Engine, file: Engine) -> None:
    fill(sqlite_engine)
    rows = copy(sqlite_engine, empty)
    assert rows > 2500 + len(copying.tables())
    with empty.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(JobRow.owner.is_not(None))) == 0
        assert queue.counts(connection)[Stage.DETECT][JobState.TODO] == 2500
    assert copy(empty, file) == rows
    with sqlite_engine.begin() as connection:  # what was in hand waits again
        queue.release(connection, "somebody")
    first, second, third = map(rows_of, (sqlite_engine, empty, file))
    assert first == second == third
    for engine in (empty, file):
        with engine.begin() as connection:
            added = sa.insert(Image).returning(Image.id)
            assert connection.scalar(added, {"sha256": "d", "size_bytes": 0}) == 4, "3 was used"
            assert connection.scalar(sa.insert(Source).returning(Source.id), {"uri": "z"}) == 2


def test_only_an_empty_database_is_filled(
    sqlite_engine: Engine, postgres_engine: Engine, empty: Engine
) -> None:
    with pytest.raises(DatabaseError, match="is not empty: name a new file or an empty database"):
        copy(sqlite_engine, postgres_engine)
    with empty.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoice (id integer)")
    with pytest.raises(DatabaseError, match="holds tables of another program"):
        copy(sqlite_engine, empty)


def test_what_cannot_be_held_is_named_and_nothing_is_left(
    sqlite_engine: Engine, empty: Engine
) -> None:
    fill(sqlite_engine)
    with sqlite_engine.begin() as connection:
        connection.execute(sa.update(Source).values(uri="file:///a\0b"))
    with pytest.raises(DatabaseError, match="cannot hold a row of source after 0 others: ") as told:
        copy(sqlite_engine, empty)
    assert "\n" not in str(told.value)
    assert schema.state(empty) is schema.State.EMPTY


def test_a_row_that_comes_back_changed_is_found(
    sqlite_engine: Engine, empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sqlite_engine)
    count_on = copying._go_on_counting

    def spoil(source: sa.Connection, target: sa.Connection, table: sa.Table) -> None:
        count_on(source, target, table)
        if table.name == "image":
            target.execute(sa.update(Image).where(Image.id == 2).values(size_bytes=7))

    monkeypatch.setattr(copying, "_go_on_counting", spoil)
    with pytest.raises(DatabaseError, match=r"row \{'id': 2\} of image came back changed"):
        copy(sqlite_engine, empty)
    assert schema.state(empty) is schema.State.EMPTY
