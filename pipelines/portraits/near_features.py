"""What photos are compared by, as the table of images holds it: as little at once as will do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Engine

from db import Image, among, chunks, reader
from pipelines.pictures.near_duplicates.edges import Indices
from pipelines.pictures.near_duplicates.grouping import Fingerprint, features_of
from pipelines.pictures.near_duplicates.verify import Features

_HASHED: Final = Image.phash.is_not(None) & Image.phash_mirror.is_not(None)
_ROWS: Final = 4096
# Of ids that lie closer together than this on average, it is quicker to read what lies between.
_DENSE: Final = 4


@dataclass(frozen=True, eq=False)
class Photos:
    """All photos that have been hashed.

    Attributes:
        ids: int64 (N,), ascending.
        phashes: int64 (N,).
        groups: int64 (N,), 0 where none was looked for.
    """

    ids: Indices
    phashes: Indices
    groups: Indices


def has_new_photos(engine: Engine) -> bool:
    """Whether any photo has no group."""
    query = sa.select(Image.id).where(_HASHED, Image.group_id.is_(None)).limit(1)
    with reader(engine).begin() as connection:
        return connection.scalar(query) is not None


def read_photos(engine: Engine) -> Photos:
    """All photos, without what is large of them."""
    columns = Image.id, Image.phash, sa.func.coalesce(Image.group_id, 0)
    query = sa.select(*columns).where(_HASHED).order_by(Image.id)
    parts: list[Indices] = [np.empty((0, 3), np.int64)]
    with reader(engine).begin() as connection:
        rows = connection.execute(query.execution_options(yield_per=_ROWS))
        # Of rows themselves numpy would ask a great deal.
        parts += [np.array(list(map(tuple, part)), np.int64) for part in rows.partitions()]
    ids, phashes, groups = np.concatenate(parts).T.copy()
    return Photos(ids, phashes, groups)


def fingerprints(engine: Engine, ids: Indices) -> Iterator[list[Fingerprint]]:
    """Read photos in pieces; those that are gone are left out.

    Args:
        engine: of the workspace.
        ids: ascending.
    """
    columns = Image.id, Image.phash, Image.phash_mirror, Image.descriptor
    query = sa.select(*columns).where(_HASHED).order_by(Image.id)
    with reader(engine).begin() as connection:
        for wanted in _where(ids):
            rows = connection.execute(query.where(wanted).execution_options(yield_per=_ROWS))
            for part in rows.partitions():
                yield _chosen(part, ids)


def _where(ids: Indices) -> Iterator[sa.ColumnElement[bool]]:
    if len(ids) and ids[-1] - ids[0] < _DENSE * len(ids):
        yield Image.id.between(int(ids[0]), int(ids[-1]))
        return
    for piece in chunks(ids.tolist()):
        yield among(Image.id, piece)


def _chosen(rows: Sequence[Any], ids: Indices) -> list[Fingerprint]:
    there = np.array([row[0] for row in rows], np.int64)
    at = np.minimum(np.searchsorted(ids, there), len(ids) - 1)
    return [Fingerprint(*row) for row, is_in in zip(rows, ids[at] == there, strict=True) if is_in]


def digests_of(engine: Engine, ids: Indices) -> tuple[Indices, NDArray[np.uint64]]:
    """Photos that are there, and what tells each from all that are not equal to it.

    Args:
        engine: of the workspace.
        ids: ascending.
    """
    there: list[Indices] = [np.empty(0, np.int64)]
    digests: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
    for piece in fingerprints(engine, ids):
        there.append(np.array([each.image_id for each in piece], np.int64))
        digests.append(np.array([each.digest for each in piece], np.uint64))
    return np.concatenate(there), np.concatenate(digests)


def read_features(engine: Engine, ids: Indices) -> tuple[Indices, Features]:
    """Photos that are there, and what they are compared by.

    Args:
        engine: of the workspace.
        ids: ascending.
    """
    there: list[Indices] = [np.empty(0, np.int64)]
    parts = [features_of([])]
    for piece in fingerprints(engine, ids):
        there.append(np.array([each.image_id for each in piece], np.int64))
        parts.append(features_of(piece))
    return np.concatenate(there), Features.together(parts)
