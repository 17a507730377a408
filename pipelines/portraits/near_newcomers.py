"""New photos, put into blocks: who is new, who is equal to whom, and who need not be searched for.

Photos count as first in the order in which they came; those that come together, in that of their
ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Engine

from pipelines.pictures.near_duplicates.crowds import first_equal, resolve_crowds
from pipelines.pictures.near_duplicates.edges import Edges, Indices
from pipelines.portraits.near_blocks import Block, Digests, Ledger
from pipelines.portraits.near_features import Photos, digests_of, read_features


def new_blocks(engine: Engine, photos: Photos, ledger: Ledger, block_photos: int) -> list[Block]:
    """Put photos into blocks of which no block speaks, or not as they are now.

    Args:
        engine: of the workspace.
        photos: all there are.
        ledger: of the blocks that there are.
        block_photos: of a block, at most.
    """
    is_new = _are_new(engine, photos, ledger)
    ids, digests = digests_of(engine, photos.ids[is_new])
    if not len(ids):
        return []
    found = _Found(ids)
    _find_equal(found, digests, photos.ids[~is_new], ledger)
    _find_crowds(found, engine, photos, is_new, ledger, block_photos)
    edges = Edges.together(found.edges)
    blocks: list[Block] = []
    for start in range(0, len(ids), block_photos):
        part = slice(start, start + block_photos)
        own = np.isin(edges.ends[:, 1], ids[part])
        number = ledger.next_number + len(blocks)
        firsts = found.firsts[part]
        blocks.append(Block(number, ids[part], digests[part], firsts, edges.kept(own)))
    return blocks


@dataclass(eq=False)
class _Found:
    """What is known of new photos (N,): who is searched for in their stead, and edges to others."""

    ids: Indices
    firsts: Indices = field(init=False)
    edges: list[Edges] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.firsts = self.ids.copy()


def _are_new(engine: Engine, photos: Photos, ledger: Ledger) -> NDArray[np.bool_]:
    """Photos in no block; or changed since; or that stand back for one that is new or gone."""
    at, in_block = ledger.find(photos.ids)
    is_new = ~in_block
    if not in_block.any():
        return is_new
    # Only where no group was looked for since can anything have changed.
    ids, digests = digests_of(engine, photos.ids[in_block & (photos.groups == 0)])
    changed = ids[ledger.digests[ledger.find(ids)[0]] != digests]
    is_new[np.searchsorted(photos.ids, changed)] = True
    stand_in = np.where(in_block, ledger.firsts[at], photos.ids)
    where = np.minimum(np.searchsorted(photos.ids, stand_in), len(photos.ids) - 1)
    is_new |= photos.ids[where] != stand_in
    while (follows := is_new[where] & ~is_new).any():
        is_new |= follows
    return is_new


def _find_equal(found: _Found, digests: Digests, old: Indices, ledger: Ledger) -> None:
    """Photos that are equal to an earlier one: the same photo, and not looked at any more."""
    everyone = np.concatenate([old, found.ids])
    theirs = ledger.digests[ledger.find(old)[0]] if len(old) else digests[:0]
    first = everyone[first_equal(np.concatenate([theirs, digests]))[len(old) :]]
    equal = first != found.ids
    found.firsts[equal] = first[equal]
    pairs = np.stack([first, found.ids], axis=1)[equal]
    found.edges.append(Edges(pairs, np.ones(len(pairs), np.float32)))


def _find_crowds(
    found: _Found,
    engine: Engine,
    photos: Photos,
    is_new: NDArray[np.bool_],
    ledger: Ledger,
    at_once: int,
) -> None:
    """Photos of one hash: compared with the first of them."""
    at, _ = ledger.find(photos.ids)
    searched = ~is_new
    searched[searched] = ledger.firsts[at[searched]] == photos.ids[searched]
    old = np.flatnonzero(searched)
    new = np.searchsorted(photos.ids, found.ids[found.firsts == found.ids])
    for some, others in _of_one_hash(photos.phashes, old, new, at_once):
        there, features = read_features(engine, photos.ids[np.sort(np.concatenate([some, others]))])
        known = np.isin(there, photos.ids[some])
        order = np.argsort(~known, kind="stable")
        crowds = resolve_crowds(features.take(order), known=int(known.sum()))
        ids = there[order]
        row = np.searchsorted(found.ids, ids[known.sum() :])
        found.firsts[row] = ids[crowds.first[known.sum() :]]
        found.edges.append(crowds.edges.called(ids))


def _of_one_hash(
    phashes: Indices, old: Indices, new: Indices, at_once: int
) -> Iterator[tuple[Indices, Indices]]:
    """Rows that share a hash with another, old ones and new ones; all of a hash come together."""
    rows = np.concatenate([old, new])
    is_new = np.arange(len(rows)) >= len(old)
    values, of, counts = np.unique(phashes[rows], return_inverse=True, return_counts=True)
    news = np.bincount(of[is_new], minlength=len(values))
    crowded = np.flatnonzero((counts > 1) & (news > 0))
    order = np.argsort(of, kind="stable")
    starts = np.cumsum(counts) - counts
    ends = np.cumsum(counts[crowded])
    begin = 0
    while begin < len(crowded):
        before = ends[begin - 1] if begin else 0
        stop = max(int(np.searchsorted(ends, before + at_once, side="right")), begin + 1)
        chosen = np.concatenate(
            [order[starts[each] : starts[each] + counts[each]] for each in crowded[begin:stop]]
        )
        yield rows[chosen[~is_new[chosen]]], rows[chosen[is_new[chosen]]]
        begin = stop
