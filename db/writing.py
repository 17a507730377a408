"""How rows are written: what the databases spell differently is spelt here, once."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from db.among import among
from db.engine import to_json
from db.models import Base

_T = TypeVar("_T")

Table = sa.Table | type[Base]
Row = Mapping[str, Any]

IDS_PER_STATEMENT = 500
"""Below every SQLite's limit of variables (999 in old builds), with a statement's other ones."""


def chunks(items: Iterable[_T], size: int = IDS_PER_STATEMENT) -> Iterator[list[_T]]:
    """Consecutive pieces of at most this size; by default what fits into one statement's IN."""
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> list[int]:
    """Insert rows, but for those that a unique constraint finds there already.

    Args:
        connection: in a transaction.
        table: whose primary key is whole numbers.
        rows: values by column, all of the same columns.

    Returns:
        Keys of the rows that are new, in no certain order; of a key of several columns the first.
    """
    if not rows:
        return []
    core = _core(table)
    insert = _insert(connection, core)
    # Only RETURNING counts new rows the same way on every driver.
    keys = core.primary_key.columns
    if connection.dialect.name == "sqlite":
        return list(
            connection.scalars(insert.on_conflict_do_nothing().returning(*keys), list(rows))
        )
    names = tuple(rows[0])
    insert = insert.from_select(names, _given(core, names).select()).on_conflict_do_nothing()
    return list(connection.scalars(insert.returning(*keys), _as_json(connection, core, rows)))


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], returning: Sequence[str]
) -> list[Any]:
    """Insert many rows, none of which is there.

    Args:
        connection: in a transaction.
        table: where.
        rows: values by column, all of the same columns.
        returning: names of columns.

    Returns:
        Those columns of the new rows, in no certain order.
    """
    if not rows:
        return []
    core = _core(table)
    wanted = [core.c[name] for name in returning]
    if connection.dialect.name == "sqlite":
        return list(connection.execute(sa.insert(core).returning(*wanted), list(rows)))
    names = tuple(rows[0])
    insert = sa.insert(core).from_select(names, _given(core, names).select()).returning(*wanted)
    return list(connection.execute(insert, _as_json(connection, core, rows)))


def update_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Change many rows of a table.

    Args:
        connection: in a transaction.
        table: with a key `id`.
        rows: that key and the new values, all of the same columns.
    """
    if not rows:
        return
    core = _core(table)
    changed = [name for name in rows[0] if name != "id"]
    if connection.dialect.name == "sqlite":
        one = sa.update(core).where(core.c.id == sa.bindparam("new_id"))
        one = one.values({name: sa.bindparam(f"new_{name}") for name in changed})
        renamed = [{f"new_{name}": value for name, value in row.items()} for row in rows]
        connection.execute(one, renamed)
        return
    given = _given(core, tuple(rows[0]))
    many = sa.update(core).where(core.c.id == given.c.id)
    many = many.values({name: given.c[name] for name in changed})
    connection.execute(many, _as_json(connection, core, rows))


@lru_cache(64)
def _given(table: sa.Table, names: tuple[str, ...]) -> sa.TableValuedAlias:
    """PostgreSQL's table of rows that are given as one value: JSON.

    The statement is the same for any number of rows, which costs the server and the driver a small
    part of what they need to read one with a parameter for each value; and C writes and reads it.
    """
    columns = [sa.column(name, table.c[name].type) for name in names]
    rows = sa.cast(sa.bindparam("rows", type_=sa.Text()), sa.JSON)
    made = sa.func.json_to_recordset(rows).table_valued(*columns, name="given")
    return made.render_derived(with_types=True)


def _as_json(connection: Connection, table: sa.Table, rows: Sequence[Row]) -> dict[str, str]:
    """The parameter of `_given`."""
    ways = {name: _plainly(table.c[name].type, connection.dialect) for name in rows[0]}
    changed = [(name, way) for name, way in ways.items() if way is not None]
    plain = []
    for row in rows:
        values = dict(row)
        for name, way in changed:
            if values[name] is not None:
                values[name] = way(values[name])
        plain.append(values)
    return {"rows": to_json(plain)}


def _plainly(kind: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """How a value of a column is written in JSON; None: as it is."""
    if isinstance(kind, sa.JSON | sa.Integer):
        return None
    if isinstance(kind, sa.Float):
        return lambda value: value if math.isfinite(value) else str(value)
    if isinstance(kind, sa.LargeBinary):
        return lambda value: f"\\x{value.hex()}"
    process = kind.dialect_impl(dialect).bind_processor(dialect)

    def plainly(value: Any) -> Any:
        bound = process(value) if process else value
        return bound.isoformat() if isinstance(bound, datetime) else bound

    return plainly


def lock_rows(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """Let no other transaction that does the same go on before this one has ended.

    What is read after this is what such others have left. SQLite's transactions have the whole
    database for themselves anyhow.

    Args:
        connection: in a transaction.
        table: whose rows.
        ids: by their key `id`.
    """
    if connection.dialect.name == "sqlite":
        return
    key = _core(table).c.id
    query = sa.select(key).where(among(key, ids)).order_by(key)
    # Rows that refer to these may be added meanwhile.
    connection.execute(query.with_for_update(key_share=True)).all()


def insert_or_replace(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; where the key is there already, the row's other columns take the new values.

    Args:
        connection: in a transaction.
        table: with one column as its primary key, which the rows name.
        rows: values by column, all of the same columns.
    """
    if not rows:
        return
    core = _core(table)
    insert = _insert(connection, core)
    (key,) = core.primary_key.columns
    changed = {name: insert.excluded[name] for name in rows[0] if name != key.name}
    connection.execute(
        insert.on_conflict_do_update(index_elements=[key], set_=changed),
        list(rows),
    )


def _insert(connection: Connection, table: sa.Table) -> Any:
    # Only the dialect that is spoken is imported: the other one takes a tenth of a second.
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


def _core(table: Table) -> sa.Table:
    return table if isinstance(table, sa.Table) else table.__table__
