"""Rows for every table of any revision, for tests of what happens to all of them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

# What a CHECK allows, where `any_rows` would say anything.
ALLOWED = {
    "state": "open", "purpose": "review", "decision": "accept", "split": "train", "source": "human",
    "trust": "fixed", "verdict": "review", "stage": "read", "tag": "fix",
}  # fmt: skip


def any_rows(connection: Connection) -> dict[str, int]:
    """A row in every table of whatever revision, all columns filled that have to be."""
    tables = sa.MetaData()
    tables.reflect(connection)
    added = {}
    for table in tables.sorted_tables:
        if table.name in ("alembic_version", "workspace"):
            continue
        connection.execute(sa.insert(table).values(a_row(table)))
        added[table.name] = 1
    return added


def a_row(table: sa.Table) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.nullable or (column.primary_key and not column.foreign_keys):
            continue
        kind = column.type
        value: Any = "x"
        if isinstance(kind, sa.DateTime):
            value = datetime(2026, 1, 1, 12, tzinfo=UTC)
        elif isinstance(kind, sa.LargeBinary):
            value = b"x"
        elif isinstance(kind, sa.JSON):
            value = []
        elif isinstance(kind, sa.Boolean):
            value = True
        elif isinstance(kind, sa.Numeric | sa.Integer | sa.Float):
            value = 1
        row[column.name] = ALLOWED.get(column.name, value)
    if table.name == "job":
        row["state"] = "todo"
    if table.name == "archive":
        row["uri"] = "s3://bucket/an.tar"
    if table.name == "lock":
        row["name"] = "a lock"
    return row
