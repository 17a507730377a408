"""Pairs of blocks, compared: here, by worker processes, or on the machines of a cluster.

A pair is a job of the queue whose number says which blocks. What comes of it is a file on the
shelf, which is the same whoever writes it; so nothing is written to the database, a worker that
was taken for dead may go on, and a pair whose file is there is done.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db import Image, Job, Stage, queue, reader, transact
from pipelines.pictures.near_duplicates.edges import Edges, Indices
from pipelines.pictures.near_duplicates.links import find_edges
from pipelines.pictures.near_duplicates.verify import Features
from pipelines.portraits.near_blocks import SHELF, Pair, forget_digests, read_block, write_pair
from pipelines.portraits.near_features import read_features
from pipelines.work.crew import crew
from pipelines.work.hands import HERE, Hands
from pipelines.work.stage import Committed, StageWork
from pipelines.workspace.errors import ItemError, WorkerError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.shelf import Shelf, shelf_of
from pipelines.workspace.workspace import Workspace

# Fewer are compared before a process has imported what it needs.
_WORTH_A_PROCESS = 3
# The block whose row of pairs is gone through, and the other one.
_BLOCKS_IN_MEMORY = 2
_BLOCK_BITS: Final = 31
_PRELOAD: Final = ("pipelines.portraits.near_pairs", "pipelines.pictures.near_duplicates.alignment")


def near_shelf(workspace: Workspace) -> Shelf:
    """Where a workspace's blocks are."""
    return shelf_of(workspace.paths.root, workspace.settings, SHELF)


def forget_in_blocks(workspace: Workspace) -> None:
    """Leave nothing in the blocks by which a photo that is gone could be known again.

    Raises:
        WorkspaceError: the shelf cannot be read or written.
    """
    with reader(workspace.engine).begin() as connection:
        there = np.array(connection.scalars(sa.select(Image.id).order_by(Image.id)).all(), np.int64)
    forget_digests(near_shelf(workspace), there)


def compare_pairs(
    workspace: Workspace,
    pairs: Sequence[Pair],
    progress: Progress = SILENT,
    hands: Hands = HERE,
) -> None:
    """Compare pairs of blocks, each of which leaves a file.

    Args:
        workspace: whose photos are in them.
        pairs: of blocks.
        progress: told of each.
        hands: who does it if it is worth another process.

    Raises:
        WorkerError: a pair could not be compared; those that were stay.
        WorkspaceError: the shelf cannot be read or written.
    """
    who = crew(workspace.settings.engine, len(pairs), _WORTH_A_PROCESS, preload=_PRELOAD)
    if len(pairs) < _WORTH_A_PROCESS or (hands.cluster is None and who.workers == 0):
        Comparer(workspace.engine, near_shelf(workspace), who.threads)(pairs)
        return
    ids = [_number(pair) for pair in pairs]
    failed: list[str] = []

    def report(batch: Committed) -> None:
        failed.extend(each.reason for each in batch.failures)
        progress.advance(batch.done + len(batch.failures))

    transact(workspace.engine, lambda connection: _ask(connection, ids))
    progress.begin("comparing", len(pairs), "pairs of blocks")
    try:
        hands.work_through(workspace, pair_stages, who, progress, report)
    finally:
        transact(workspace.engine, partial(queue.forget, stage=Stage.COMPARE))
    if failed:
        raise WorkerError(
            f"{len(failed)} of {len(pairs)} pairs of blocks could not be compared ({failed[0]}); "
            "run the same command again: those that were are kept"
        )


def pair_stages(workspace: Workspace, threads: int) -> tuple["CompareWork"]:
    """The stages of one worker."""
    return (CompareWork(Comparer(workspace.engine, near_shelf(workspace), threads)),)


class CompareWork(StageWork[Pair, None]):
    """A pair of blocks → what they have in common, a file."""

    stage = Stage.COMPARE
    batch_size = 1

    def __init__(self, compare: "Comparer") -> None:
        """Prepare it.

        Args:
            compare: does it.
        """
        self._compare = compare

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, Pair]:
        """See `StageWork`."""
        del connection
        return {job.item_id: _pair(job.item_id) for job in jobs}

    def run(self, items: Sequence[Pair]) -> Sequence[ItemError | None]:
        """See `StageWork`."""
        self._compare(items)
        return [None] * len(items)

    def save(self, connection: Connection, item_id: int, out: None) -> object:
        """See `StageWork`: the file is all."""
        del connection, item_id, out
        return None


class Comparer:
    """Compares blocks, and keeps those in memory that it may need next."""

    def __init__(self, engine: Engine, shelf: Shelf, threads: int = 2) -> None:
        """Nothing is read yet.

        Args:
            engine: with the photos.
            shelf: with the blocks.
            threads: that search.
        """
        self._engine = engine
        self._shelf = shelf
        self._threads = threads
        self._read: OrderedDict[int, tuple[Indices, Features]] = OrderedDict()

    def __call__(self, pairs: Sequence[Pair]) -> None:
        """Compare pairs of blocks, each of which leaves a file.

        Raises:
            WorkspaceError: the shelf cannot be read or written.
        """
        for pair in pairs:
            write_pair(self._shelf, pair, self._compare(pair))

    def _compare(self, pair: Pair) -> Edges:
        one, other = pair
        others, their = self._block(other)
        if one == other:
            edges = find_edges(their, np.arange(len(others)), threads=self._threads)
            return edges.called(others)
        ids, own = self._block(one)
        both = Features.together([own, their])
        left, right = np.arange(len(ids)), np.arange(len(ids), len(ids) + len(others))
        found = find_edges(both, left, right, threads=self._threads)
        ends = np.sort(found.ends, axis=1)
        return Edges(ends, found.likeness).called(np.concatenate([ids, others]))

    def _block(self, number: int) -> tuple[Indices, Features]:
        """Photos that are searched for, and what they are compared by."""
        if number not in self._read:
            while len(self._read) >= _BLOCKS_IN_MEMORY:
                self._read.popitem(last=False)
            block = read_block(self._shelf, number)
            ids = np.empty(0, np.int64) if block is None else block.searched
            self._read[number] = read_features(self._engine, ids)
        self._read.move_to_end(number)
        return self._read[number]


def _number(pair: Pair) -> int:
    """Of a pair, in the order in which pairs are gone through."""
    one, other = pair
    return (other << _BLOCK_BITS) + one


def _pair(number: int) -> Pair:
    return number & ((1 << _BLOCK_BITS) - 1), number >> _BLOCK_BITS


def _ask(connection: Connection, ids: Sequence[int]) -> None:
    queue.withdraw(connection, Stage.COMPARE, but=ids)
    queue.ask(connection, Stage.COMPARE, ids, None, retry=True)
