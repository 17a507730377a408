"""Crowds: images that are equal, or of one hash, of which only a few are searched for.

A hundred thousand copies of a photo have five thousand million pairs. So equal images are one, and
images of one hash are compared with the first of them: those that are its copies need not be
searched for, since whoever finds the first has found them.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.edges import Edges, Indices
from pipelines.pictures.near_duplicates.verify import STRONG, Features, likeness

PER_HASH: Final = 8
"""So many different pictures may share a hash and all be searched for; more share one only if there
is next to nothing to see on them."""

_WORD = (1 << 64) - 1


def digest(phash: int, phash_mirror: int, descriptor: bytes | None) -> int:
    """Tell a row from all others that are not equal to it: 64 bits."""
    hashed = hashlib.blake2b(struct.pack("<QQ", phash & _WORD, phash_mirror & _WORD), digest_size=8)
    hashed.update(b"" if descriptor is None else b"." + descriptor)
    return int.from_bytes(hashed.digest(), "little")


def first_equal(digests: NDArray[np.uint64]) -> Indices:
    """For each row (N,) the first one of the same digest, maybe itself."""
    _, firsts, inverse = np.unique(digests, return_index=True, return_inverse=True)
    return np.asarray(firsts[inverse], np.int64)


@dataclass(frozen=True, eq=False)
class Crowds:
    """What images of one hash are to each other.

    Attributes:
        first: int64 (N,): the row itself if it is to be searched for, or else the one that is in
            its stead.
        edges: what was found of the comparisons.
    """

    first: Indices
    edges: Edges

    @property
    def searched(self) -> Indices:
        """Rows to search for."""
        return np.flatnonzero(self.first == np.arange(len(self.first)))


def resolve_crowds(features: Features, known: int = 0) -> Crowds:
    """Compare images of equal hash with the first of them.

    Images that share their hash with the first `PER_HASH` different pictures of it and are like
    none of those stay alone.

    Args:
        features: of N images, no two of them equal in everything, in the order in which they count
            as first.
        known: so many at the beginning are searched for already, and not compared again.
    """
    hashes = features.hashes[:, 0]
    waiting = np.argsort(hashes, kind="stable")
    first = np.arange(len(hashes))
    edges = []
    for turn in range(PER_HASH):
        values = hashes[waiting]
        is_first = np.ones(len(waiting), np.bool_)
        is_first[1:] = values[1:] != values[:-1]
        firsts = waiting[is_first][np.cumsum(is_first) - 1][~is_first]
        waiting = waiting[~is_first]
        if not len(waiting):
            break
        pairs = np.stack([firsts, waiting], axis=1)
        is_new = waiting >= known
        found = np.zeros(len(waiting), np.float32)
        found[is_new] = likeness(features, pairs[is_new])
        edges.append(Edges.of(pairs, found))
        stood_for = (found >= STRONG) | (is_new if turn == PER_HASH - 1 else False)
        first[waiting[stood_for]] = firsts[stood_for]
        waiting = waiting[found < STRONG]
    return Crowds(first, Edges.together(edges))
