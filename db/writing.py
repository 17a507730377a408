"""How rows are written: what the databases spell differently is spelt here, once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

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
    names, given = _as_table(core, rows)
    insert = insert.from_select(names, given.select()).on_conflict_do_nothing().returning(*keys)
    return list(connection.scalars(insert))


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
    names, given = _as_table(core, rows)
    insert = sa.insert(core).from_select(names, given.select()).returning(*wanted)
    return list(connection.execute(insert))


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
    _, given = _as_table(core, rows)
    many = sa.update(core).where(core.c.id == given.c.id)
    connection.execute(many.values({name: given.c[name] for name in changed}))


def _as_table(table: sa.Table, rows: Sequence[Row]) -> tuple[list[str], sa.TableValuedAlias]:
    """Names of columns, and PostgreSQL's table of the rows: an array a column.

    The statement is the same for any number of rows, which costs the server and the driver a small
    part of what they need to read one with a parameter for each value.
    """
    from sqlalchemy.dialects.postgresql import ARRAY

    names = list(rows[0])
    arrays = [
        sa.bindparam(
            None,
            [row[name] for row in rows],
            # A value that is a list itself is no second dimension.
            type_=ARRAY(table.c[name].type, dimensions=1),
            unique=True,
        )
        for name in names
    ]
    columns = [sa.column(name, table.c[name].type) for name in names]
    return names, sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


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
    query = sa.select(key).where(key.in_(ids)).order_by(key)
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
