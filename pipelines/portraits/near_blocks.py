"""Blocks of photos: who was compared with whom, in Parquet files on the workspace's shelf.

    block-000007.parquet         who is in a block, and what was found while it was formed
    pair-000003-000007.parquet   who in block 3 is like whom in block 7

A photo belongs to the newest block that names it. So new photos form new blocks, only pairs with
these are compared, and what a killed run has compared is not compared again. A pair's file says the
same whoever writes it. No file holds a hash or a picture of anything; whether a photo is still what
it was, eight bytes tell, and of one that is forgotten these are removed: its number is left.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.edges import Edges, Indices
from pipelines.workspace.shelf import Shelf

SHELF: Final = "near-duplicates"
Pair = tuple[int, int]
Digests = NDArray[np.uint64]

_BLOCK = re.compile(r"block-(\d+)\.parquet")
_PAIR = re.compile(r"pair-(\d+)-(\d+)\.parquet")


@dataclass(frozen=True, eq=False)
class Block:
    """Photos that are searched for together.

    Attributes:
        number: of the block, from 1 on.
        ids: int64 (N,), of photos, ascending.
        digests: uint64 (N,), of `crowds.digest`; 0 of a photo that was forgotten.
        firsts: int64 (N,), the photo that is searched for in the stead of each; mostly itself.
        edges: between photos of this or an earlier block (first) and of this one (second).
    """

    number: int
    ids: Indices
    digests: Digests
    firsts: Indices
    edges: Edges = field(default_factory=Edges)

    @property
    def searched(self) -> Indices:
        """Photos to search for."""
        found: Indices = self.ids[self.firsts == self.ids]
        return found


class Ledger:
    """All blocks, and the one that each photo belongs to.

    Attributes:
        blocks: by number.
        ids: int64 (N,), of photos that are in any, ascending.
        block: int64 (N,), the newest one that each is in.
        digests: uint64 (N,), as that one says.
        firsts: int64 (N,), likewise.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        """Put together what blocks, in the order of their numbers, say."""
        self.blocks = {each.number: each for each in blocks}
        newest_first = list(reversed(blocks))
        ids = _joined([each.ids for each in newest_first], np.int64)
        self.ids, at = np.unique(ids, return_index=True)
        numbers = [np.full(len(each.ids), each.number) for each in newest_first]
        self.block = _joined(numbers, np.int64)[at]
        self.digests = _joined([each.digests for each in newest_first], np.uint64)[at]
        self.firsts = _joined([each.firsts for each in newest_first], np.int64)[at]

    @property
    def next_number(self) -> int:
        """Of a new block."""
        return max(self.blocks, default=0) + 1

    def find(self, ids: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """Rows of photos, and whether they are there."""
        if not len(self.ids):
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return at, self.ids[at] == ids

    def block_of(self, ids: Indices) -> Indices:
        """Number of the block that each photo belongs to; 0: none."""
        at, is_there = self.find(ids)
        return np.where(is_there, self.block[at], 0) if len(self.ids) else at

    def pairs(self) -> Iterator[Pair]:
        """Of blocks to compare, each also with itself: row by row, so that one of both stays."""
        at_work = set(self.block[self.firsts == self.ids].tolist())
        numbers = [number for number in self.blocks if number in at_work]
        return ((a, b) for b, a in sorted((b, a) for a, b in _all_pairs(numbers)))

    def edges(self, found: Iterable[tuple[Pair, Edges]]) -> Edges:
        """All that hold still: between photos that belong to the blocks that were compared.

        Args:
            found: what each pair of blocks was found to have in common.
        """
        parts = []
        for number, block in self.blocks.items():
            of_first, of_second = self.block_of(block.edges.ends).T
            holds = (of_second == number) & (of_first > 0) & (of_first <= number)
            parts.append(block.edges.kept(holds))
        for (one, other), edges in found:
            of_first, of_second = self.block_of(edges.ends).T
            holds = (of_first == one) & (of_second == other)
            parts.append(edges.kept(holds))
        return Edges.together(parts)


def _all_pairs(numbers: Sequence[int]) -> Iterator[Pair]:
    return combinations_with_replacement(sorted(numbers), 2)


def read_ledger(shelf: Shelf) -> tuple[Ledger, frozenset[Pair]]:
    """All blocks, and the pairs of them that were compared."""
    names = list(shelf.names())
    numbers = sorted(int(match[1]) for match in map(_BLOCK.fullmatch, names) if match)
    compared = (match for match in map(_PAIR.fullmatch, names) if match)
    blocks = (read_block(shelf, number) for number in numbers)
    pairs = frozenset((int(match[1]), int(match[2])) for match in compared)
    return Ledger([block for block in blocks if block is not None]), pairs


def read_block(shelf: Shelf, number: int) -> Block | None:
    """One block; None: it is not there (any more), or damaged."""
    table = _read(shelf, _block_name(number))
    if table is None:
        return None
    ids, alike = table["image_id"].to_numpy(), table["alike"].combine_chunks()
    counts = np.diff(alike.offsets.to_numpy())
    ends = np.stack([alike.values.field("other").to_numpy(), np.repeat(ids, counts)], axis=1)
    edges = Edges(ends, alike.values.field("likeness").to_numpy())
    return Block(number, ids, table["digest"].to_numpy(), table["first"].to_numpy(), edges)


def write_block(shelf: Shelf, block: Block) -> bool:
    """Keep a block; False: somebody else was quicker, and its number is taken."""
    import pyarrow as pa

    edges = block.edges.kept(np.argsort(block.edges.ends[:, 1], kind="stable"))
    offsets = np.searchsorted(edges.ends[:, 1], block.ids)
    offsets = np.append(offsets, len(edges.ends)).astype(np.int32)
    others = pa.StructArray.from_arrays(
        [pa.array(edges.ends[:, 0]), pa.array(edges.likeness)], names=["other", "likeness"]
    )
    table = pa.table(
        {
            "image_id": block.ids,
            "digest": block.digests,
            "first": block.firsts,
            "alike": pa.ListArray.from_arrays(pa.array(offsets), others),
        }
    )
    return shelf.create(_block_name(block.number), _bytes_of(table))


def read_pair(shelf: Shelf, pair: Pair) -> Edges | None:
    """What two blocks have in common; None: they were not compared, or the file is damaged."""
    table = _read(shelf, _pair_name(pair))
    if table is None:
        return None
    ends = np.stack([table[name].to_numpy() for name in ("one", "other")], axis=1)
    return Edges(ends, table["likeness"].to_numpy())


def write_pair(shelf: Shelf, pair: Pair, edges: Edges) -> None:
    """Keep what two blocks have in common; who did the same before wrote the same."""
    import pyarrow as pa

    one, other = edges.ends.T
    table = pa.table({"one": one, "other": other, "likeness": edges.likeness})
    shelf.create(_pair_name(pair), _bytes_of(table))


def forget_digests(shelf: Shelf, there: Indices) -> None:
    """Remove what tells photos that are gone from others.

    Killed in between, a block is missing: its photos are put into another one, and compared anew.

    Args:
        shelf: with the blocks.
        there: int64 (N,), of all photos that there are, ascending.
    """
    for block in read_ledger(shelf)[0].blocks.values():
        left = np.where(np.isin(block.ids, there), block.digests, np.uint64(0))
        if (left != block.digests).any():
            shelf.remove(_block_name(block.number))
            write_block(shelf, replace(block, digests=left))


def _block_name(number: int) -> str:
    return f"block-{number:06d}.parquet"


def _pair_name(pair: Pair) -> str:
    return "pair-{:06d}-{:06d}.parquet".format(*pair)


def _read(shelf: Shelf, name: str) -> Any:
    """A table; what is damaged is removed, and made again by whoever lacks it."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table

    data = shelf.read(name)
    if data is None:
        return None
    try:
        return read_table(io.BytesIO(data))
    except (ArrowException, OSError):
        shelf.remove(name)
        return None


def _bytes_of(table: Any) -> bytes:
    from pyarrow.parquet import write_table

    file = io.BytesIO()
    write_table(table, file, compression="zstd")
    return file.getvalue()


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, kind)
