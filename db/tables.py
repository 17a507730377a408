"""Tables as classes, on SQLAlchemy Core alone: `Portrait.id` is the column of the table `portrait`.

What a program knows of its tables is told by annotations, as SQLAlchemy's declarative classes do
it, and checked by mypy likewise. There are no objects of rows here, and none are wanted: importing
the ORM would take a third of a second of every command.
"""

from collections.abc import Mapping
from datetime import datetime
from types import NoneType
from typing import Any, ClassVar, get_args

import sqlalchemy as sa

Column = sa.ColumnClause
"""What a column is annotated as; to type checkers, SQLAlchemy's `Column` is one in its own
`TypedColumns` only."""


def column(*arguments: Any, **options: Any) -> Any:
    """A column, with the arguments of SQLAlchemy's `Column` but for its name."""
    return sa.Column(*arguments, **options)


class _TableOfClass(type):
    """Makes the table of a class from its annotations.

    A column may be null if its annotation says ``| None``; its type, if `column` names none and it
    refers to no other table, is that of the annotation.
    """

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **_: Any
    ) -> "_TableOfClass":
        table_name = namespace.get("__tablename__")
        made = super().__new__(cls, name, bases, namespace)
        if table_name is None:
            return made
        columns: list[Any] = []
        for key, annotation in namespace["__annotations__"].items():
            if key.startswith("__"):
                continue
            one = namespace.get(key)
            if one is None:
                one = sa.Column()
            _complete(one, key, get_args(annotation)[0], made.column_types)  # type: ignore[attr-defined]
            columns.append(one)
            setattr(made, key, one)
        said = namespace.get("__table_args__", ())
        items = said if isinstance(said, tuple) else (said,)
        options = {
            key: value for item in items if isinstance(item, dict) for key, value in item.items()
        }
        columns += [item for item in items if not isinstance(item, dict)]
        metadata: sa.MetaData = made.metadata  # type: ignore[attr-defined]
        made.__table__ = sa.Table(table_name, metadata, *columns, **options)  # type: ignore[attr-defined]
        return made

    def __clause_element__(cls) -> sa.Table:
        """What SQLAlchemy takes the class for, wherever it is used as a table."""
        table: sa.Table = cls.__table__  # type: ignore[attr-defined]
        return table


class Rows(metaclass=_TableOfClass):
    """Base of classes that stand for the rows of a table.

    Attributes:
        metadata: of all tables; a class below defines it.
        column_types: of the annotations that name no type themselves.
    """

    __tablename__: ClassVar[str]
    __table__: ClassVar[sa.Table]
    metadata: ClassVar[sa.MetaData]
    column_types: ClassVar[Mapping[Any, Any]]


_PLAIN: Mapping[Any, Any] = {
    int: sa.Integer,
    str: sa.String,
    bool: sa.Boolean,
    bytes: sa.LargeBinary,
    datetime: sa.DateTime,
}


def _complete(one: sa.Column[Any], key: str, annotation: Any, types: Mapping[Any, Any]) -> None:
    named = [each for each in get_args(annotation) if each is not NoneType]
    is_nullable = NoneType in get_args(annotation)
    python_type = named[0] if is_nullable else annotation
    one.name = one.key = key
    if not one.primary_key:
        one.nullable = is_nullable
    if isinstance(one.type, sa.types.NullType) and not one.foreign_keys:
        one.type = sa.types.to_instance({**_PLAIN, **types}[python_type])
