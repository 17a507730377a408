"""Rows by many values of a column, in the way that each database reads fastest.

SQLite takes a list of variables. To PostgreSQL a list of a thousand is another statement than one
of 999, which it has to read anew each time, and the driver, too; an array is one value.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal


class Among(sa.ColumnElement[bool]):
    """See `among`."""

    __visit_name__ = "among"
    _traverse_internals = [  # noqa: RUF012
        ("listed", InternalTraversal.dp_clauseelement),
        ("in_array", InternalTraversal.dp_clauseelement),
    ]
    inherit_cache = True
    type = sa.Boolean()

    def __init__(self, column: Any, name: str | None, values: list[Any] | None) -> None:
        given: dict[str, Any] = {"unique": name is None}
        if values is not None:
            given["value"] = values
        kind = column.type
        array = sa.bindparam(name, type_=sa.ARRAY(kind, dimensions=1), **given)
        self.listed = column.in_(sa.bindparam(name, expanding=True, type_=kind, **given))
        self.in_array = column == sa.any_(array)

    @property
    def _from_objects(self) -> list[Any]:
        return list(self.listed._from_objects)

    def self_group(self, against: Any = None) -> "Among":
        """A comparison in either form: nothing is put around it, nor compared with it."""
        del against
        return self


@compiles(Among)
def _listed(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.listed, **options)


@compiles(Among, "postgresql")
def _in_array(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.in_array, **options)


def among(column: Any, values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether a column has one of some values; of SQLite's statements see `IDS_PER_STATEMENT`.

    Args:
        column: of a table.
        values: any number.
    """
    return Among(column, None, list(values))


def among_given(column: Any, name: str) -> sa.ColumnElement[bool]:
    """The same, with the values as the statement's parameter of this name, a list."""
    return Among(column, name, None)
