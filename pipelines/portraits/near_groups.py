"""The column that remembers groups of near-duplicates: who is compared, and what comes of it.

Photos are compared by blocks (`near_blocks`): the new ones among themselves, and with each block
that is there. What was found of old ones is read from the shelf.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db import Image
from pipelines.pictures.near_duplicates.edges import Edges, Indices, join
from pipelines.pictures.near_duplicates.verify import Features, Floats, likeness
from pipelines.portraits.near_blocks import Ledger, Pair, read_ledger, read_pair, write_block
from pipelines.portraits.near_features import Photos, has_new_photos, read_features, read_photos
from pipelines.portraits.near_newcomers import new_blocks
from pipelines.workspace.shelf import Shelf

BLOCK_PHOTOS: Final = 1 << 16
"""Of a block: two of them are in a worker's memory at once, some 0.3 GB."""

_UPDATES = 10_000


@dataclass(frozen=True, eq=False)
class Plan:
    """Where things stand.

    Attributes:
        photos: all there are.
        ledger: their blocks.
        missing: pairs of blocks that nobody has compared yet.
    """

    photos: Photos
    ledger: Ledger
    missing: Sequence[Pair]


def plan(engine: Engine, shelf: Shelf, block_photos: int | None = None) -> Plan:
    """Put photos that are new into blocks, and say which of those are to be compared.

    Args:
        engine: of the workspace.
        shelf: with its blocks.
        block_photos: of a block, at most; None: `BLOCK_PHOTOS`.

    Raises:
        WorkspaceError: a block cannot be kept.
    """
    while True:
        photos = read_photos(engine)
        ledger, compared = read_ledger(shelf)
        blocks = new_blocks(engine, photos, ledger, block_photos or BLOCK_PHOTOS)
        if all(write_block(shelf, block) for block in blocks):
            break  # otherwise somebody else was quicker, maybe with the same photos
    ledger = Ledger([*ledger.blocks.values(), *blocks])
    return Plan(photos, ledger, [pair for pair in ledger.pairs() if pair not in compared])


Compare = Callable[[Sequence[Pair]], None]
"""Compares pairs of blocks, and keeps what they have in common on the shelf."""


def compare_new(engine: Engine, shelf: Shelf, compare: Compare) -> None:
    """Do now what grouping would have to do: compare photos that are new, and group nothing.

    Args:
        engine: of the workspace.
        shelf: with its blocks.
        compare: is asked at most once.

    Raises:
        WorkspaceError: the shelf cannot be read or written.
    """
    if has_new_photos(engine) and (missing := plan(engine, shelf).missing):
        compare(missing)


def changed_groups(
    engine: Engine, shelf: Shelf, compare: Compare, block_photos: int | None = None
) -> Indices:
    """Group all photos that have been hashed, if any is new.

    Whether any is new is told by `group_id`: whoever removes an image or changes its hashes sets it
    to null in that row, or in the rows of its group.

    Args:
        engine: of the workspace; no transaction stays open, so that others may write.
        shelf: with its blocks.
        compare: is asked for what nobody has compared yet.
        block_photos: as `plan` takes it.

    Returns:
        int64 (K, 2): photos whose group changed, new ones included, and their groups. Empty, at
        once, if every hashed photo has a group.

    Raises:
        WorkspaceError: the shelf cannot be read or written.
    """
    if not has_new_photos(engine):
        return np.empty((0, 2), np.int64)
    while True:
        stands = plan(engine, shelf, block_photos)
        if stands.missing:
            compare(stands.missing)
        found = [(pair, read_pair(shelf, pair)) for pair in stands.ledger.pairs()]
        compared = [(pair, edges) for pair, edges in found if edges is not None]
        if len(compared) == len(found):
            break  # otherwise a file was damaged
    photos, ledger = stands.photos, stands.ledger
    edges = ledger.edges(compared)
    at = np.searchsorted(photos.ids, edges.ends)
    at = np.minimum(at, len(photos.ids) - 1)
    are_there = (photos.ids[at] == edges.ends).all(axis=1)
    rows = Edges(at[are_there], edges.likeness[are_there])
    firsts = join(len(photos.ids), rows, _Firsts(engine, photos.ids))
    groups = photos.ids[firsts]
    changed = groups != photos.groups
    return np.stack([photos.ids[changed], groups[changed]], axis=1)


def save_groups(connection: Connection, groups: Indices) -> None:
    """Write groups (K, 2) of photos; those that are gone meanwhile, or lead there, are left out."""
    update = sa.update(Image).where(Image.id == sa.bindparam("image"))
    update = update.values(group_id=sa.bindparam("first"))
    for start in range(0, len(groups), _UPDATES):
        piece = groups[start : start + _UPDATES].tolist()
        connection.execute(update, [{"image": image, "first": first} for image, first in piece])


class _Firsts:
    """Compares photos that stand for clusters with weak links, which are read once."""

    def __init__(self, engine: Engine, photos: Indices) -> None:
        self._engine = engine
        self._photos = photos
        self._read: tuple[Indices, Features] | None = None

    def __call__(self, pairs: Indices) -> Floats:
        """How alike pairs of rows (P, 2) are, the first time of all; who is gone is like none."""
        wanted = self._photos[pairs]
        if self._read is None:
            self._read = read_features(self._engine, np.unique(wanted))
        ids, features = self._read
        found = np.zeros(len(pairs), np.float32)
        if len(ids):
            rows = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
            are_there = (ids[rows] == wanted).all(axis=1)
            found[are_there] = likeness(features, rows[are_there])
        return found
