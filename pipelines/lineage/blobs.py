"""Which rows name which blobs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import chunks
from pipelines.workspace.identity import blob_columns

Digests = NDArray[np.uint64]
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class NamedBlob:
    """A row's claim that a blob exists.

    Attributes:
        key: of the blob.
        row: what names it, for people: ``mask 12``.
    """

    key: str
    row: str


def count_named(connection: Connection) -> int:
    """How often a row names a blob."""
    return sum(
        connection.scalar(sa.select(sa.func.count(column)).select_from(column.table)) or 0
        for column in blob_columns()
    )


def named_blobs(connection: Connection) -> Iterator[NamedBlob]:
    """Every blob that a row names, as often as one does, a page at a time."""
    for column in blob_columns():
        query = sa.select(column.table.c.id, column).where(column.is_not(None))
        # Of the statement: a connection would keep it for what is written later.
        rows = connection.execute(query.execution_options(yield_per=_PAGE))
        for number, key in rows:
            yield NamedBlob(key, f"{column.table.name} {number}")


def digests(keys: Iterable[str]) -> Digests:
    """Sorted beginnings of the hashes in keys: eight bytes a blob, however many there are.

    Two blobs may have the same; then one that nobody names counts as named.
    """
    return np.unique(np.fromiter(map(_digest, keys), np.uint64))


def unnamed(keys: Iterable[str], named: Digests) -> Iterator[str]:
    """Those of the keys whose blobs are not among the named ones."""
    for page in chunks(keys, _PAGE):
        found = np.isin(np.fromiter(map(_digest, page), np.uint64), named, kind="sort")
        yield from (key for key, is_named in zip(page, found, strict=True) if not is_named)


def _digest(key: str) -> int:
    """Of a key in the store; of another text, zero."""
    try:
        return int(key.rpartition("/")[2][:16], 16)
    except ValueError:
        return 0
