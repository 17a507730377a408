"""Which images are alike: candidates from the search, verified, as few as it takes.

Nothing here asks for all pairs of a crowd: a candidate whose images are joined already is not
compared at all.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.crowds import PER_HASH
from pipelines.pictures.near_duplicates.edges import Edges, Indices, cluster_firsts
from pipelines.pictures.near_duplicates.search import Hashes, near_pairs
from pipelines.pictures.near_duplicates.verify import STRONG, Features, likeness

RADIUS_BITS: Final = 8
"""Of candidates: 99.9 % of copies cropped by 5 % lie within, and 0.003 % of strangers."""


def find_edges(
    features: Features, left: Indices, right: Indices | None = None, *, threads: int = 2
) -> Edges:
    """Search for near-duplicates and verify them.

    Args:
        features: of N images.
        left: rows to search for.
        right: among which; None: among themselves.
        threads: that search.
    """
    links = _Links(features)
    sides = [(left, left)] if right is None else [(left, right), (right, left)]
    for some, others in sides:
        hashes, hashed = _per_hash(features.hashes[some], some)
        windows, seen_in = _per_hash(features.windows[others], others)
        for found in near_pairs(hashes, windows, radius=RADIUS_BITS, threads=threads):
            links.settle(np.stack([hashed[found[:, 0]], seen_in[found[:, 1]]], axis=1))
    return Edges.together(links.edges)


class _Links:
    """What is known of N images: edges, and the clusters that strong ones make."""

    def __init__(self, features: Features) -> None:
        self.edges: list[Edges] = []
        self._features = features
        self._clusters: Indices = np.arange(len(features.hashes))
        self._compared: Indices = np.empty(0, np.int64)

    def settle(self, pairs: Indices) -> None:
        """Compare candidates (P, 2), but for those that others have made superfluous.

        Of each image's candidates one is compared, then two, four, and so on: a crowd is joined by
        the first of them, and the rest need no comparison.
        """
        pairs = self._open(pairs)
        limit = 1
        while len(pairs):
            rank = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
            chosen = rank < limit
            self._compare(pairs[chosen])
            self._compared = np.union1d(self._compared, self._code(pairs[chosen]))
            pairs = pairs[~chosen]
            pairs = pairs[self._apart(pairs)]
            limit *= 2

    def _compare(self, pairs: Indices) -> None:
        found = likeness(self._features, pairs)
        self.edges.append(Edges.of(pairs, found))
        strong = self._clusters[pairs[found >= STRONG]]
        self._clusters = cluster_firsts(len(self._clusters), strong)[self._clusters]

    def _open(self, pairs: Indices) -> Indices:
        """Candidates in order, each once, without those joined or compared already."""
        pairs = np.sort(pairs[self._apart(pairs)], axis=1)
        codes = np.setdiff1d(self._code(pairs), self._compared)
        return np.stack(np.divmod(codes, len(self._clusters)), axis=1)

    def _apart(self, pairs: Indices) -> NDArray[np.bool_]:
        clusters = self._clusters[pairs]
        return np.asarray(clusters[:, 0] != clusters[:, 1], np.bool_)

    def _code(self, pairs: Indices) -> Indices:
        return pairs[:, 0] * len(self._clusters) + pairs[:, 1]


def _per_hash(hashes: Hashes, owners: Indices) -> tuple[Hashes, Indices]:
    """Take hashes (N, K) apart: each with its owner, once, and at most `PER_HASH` owners each."""
    flat, owner = hashes.ravel(), np.repeat(owners, hashes.shape[1])
    order = np.lexsort((owner, flat))
    flat, owner = flat[order], owner[order]
    new = np.ones(len(flat), np.bool_)
    new[1:] = (flat[1:] != flat[:-1]) | (owner[1:] != owner[:-1])
    flat, owner = flat[new], owner[new]
    kept = np.arange(len(flat)) - np.searchsorted(flat, flat) < PER_HASH
    return flat[kept], owner[kept]
