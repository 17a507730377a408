"""Rows by many values: the same on every database, and one statement however many there are."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db import Image, among, insert_new
from db.among import among_given


def images(connection: Connection, count: int) -> list[int]:
    rows = [{"sha256": f"{number:064}", "size_bytes": 1, "reasons": []} for number in range(count)]
    return sorted(insert_new(connection, Image, rows))


@pytest.mark.parametrize("wanted", [[], [3], [3, 3, 5], [0, 7, 999_999]])
def test_rows_of_some_values_are_found(engine: Engine, wanted: list[int]) -> None:
    with engine.begin() as connection:
        images(connection, 9)
        names = [f"{number:064}" for number in wanted]
        query = sa.select(Image.sha256).where(among(Image.sha256, names))
        there = {name for name in names if int(name) < 9}
        assert set(connection.scalars(query)) == there
        others = sa.select(sa.func.count()).where(~among(Image.sha256, names), Image.id > 0)
        assert connection.scalar(others) == 9 - len(there)
        either = sa.select(sa.func.count()).where(
            sa.or_(among(Image.sha256, names), Image.sha256 == f"{8:064}")
        )
        assert connection.scalar(either) == len(there) + 1


def test_a_statement_made_once_takes_any_list(engine: Engine) -> None:
    query = sa.select(sa.func.count()).where(among_given(Image.id, "ids"))
    with engine.begin() as connection:
        ids = images(connection, 5)
        assert [connection.scalar(query, {"ids": ids[:n]}) for n in (0, 2, 5)] == [0, 2, 5]


def test_postgresql_is_told_one_statement(engine: Engine) -> None:
    seen = set()
    with engine.begin() as connection:
        ids = images(connection, 40)

        @sa.event.listens_for(connection, "before_cursor_execute")
        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            seen.add(statement)

        for count in (1, 2, 40):
            connection.execute(sa.select(Image.id).where(among(Image.id, ids[:count]))).all()
    assert len(seen) == {"sqlite": 3, "postgresql": 1}[engine.dialect.name]
