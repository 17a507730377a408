"""Which images are linked: candidates from the search, verified, as few as it takes.

A hundred thousand copies of a photo have five thousand million pairs, so nothing here asks for all
pairs of a crowd: images of one hash are compared with the first of them, and a candidate whose
images are joined already is not compared at all.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.search import near_pairs
from pipelines.pictures.near_duplicates.verify import STRONG, WEAK, Features, likeness

RADIUS_BITS: Final = 8
"""Of candidates: 99.9 % of copies cropped by 5 % lie within, and 0.003 % of strangers."""

# So many different pictures may share a hash and all be searched for; more share one only if there
# is next to nothing to see on them.
_PER_HASH = 8

Indices = NDArray[np.int64]


class Links:
    """What is known of N images.

    Attributes:
        clusters: int64 (N,), equal for images that strong links join, directly or through others.
        weak: int64 (K, 2), pairs that a weak link joins, maybe inside of a cluster.
        likeness: float32 (K,), of the weak links.
    """

    def __init__(self, features: Features) -> None:
        """Nothing is known yet: each image is a cluster."""
        self.features = features
        self.clusters: Indices = np.arange(len(features.hashes))
        self.weak: Indices = np.empty((0, 2), np.int64)
        self.likeness: NDArray[np.float32] = np.empty(0, np.float32)
        self._compared: Indices = np.empty(0, np.int64)

    def compare(self, pairs: Indices) -> NDArray[np.float32]:
        """Compare pairs (P, 2) and note the links; return how alike they are."""
        found = likeness(self.features, pairs)
        self._join(pairs[found >= STRONG])
        weak = (found >= WEAK) & (found < STRONG)
        self.weak = np.concatenate([self.weak, pairs[weak]])
        self.likeness = np.concatenate([self.likeness, found[weak]])
        return found

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
            self.compare(pairs[chosen])
            self._compared = np.union1d(self._compared, self._code(pairs[chosen]))
            pairs = pairs[~chosen]
            pairs = pairs[self._apart(pairs)]
            limit *= 2

    def _open(self, pairs: Indices) -> Indices:
        """Candidates in order, each once, without those joined or compared already."""
        pairs = np.sort(pairs[self._apart(pairs)], axis=1)
        codes = np.setdiff1d(self._code(pairs), self._compared)
        return np.stack(np.divmod(codes, len(self.clusters)), axis=1)

    def _apart(self, pairs: Indices) -> NDArray[np.bool_]:
        clusters = self.clusters[pairs]
        return np.asarray(clusters[:, 0] != clusters[:, 1], np.bool_)

    def _code(self, pairs: Indices) -> Indices:
        return pairs[:, 0] * len(self.clusters) + pairs[:, 1]

    def _join(self, pairs: Indices) -> None:
        # Imported here: it takes a fifth of a second, and most commands never come this way.
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not len(pairs):
            return
        count = len(self.clusters)
        rows, columns = self.clusters[pairs].T
        graph = coo_array((np.ones(len(pairs), np.bool_), (rows, columns)), shape=(count, count))
        self.clusters = connected_components(graph, directed=False)[1][self.clusters].astype(
            np.int64
        )


def find_links(features: Features) -> Links:
    """Search for near-duplicates and verify them.

    Images that share their hash with the first `_PER_HASH` different pictures of it and are like
    none of those stay alone.

    Args:
        features: of N images, no two of them equal in everything.
    """
    links = Links(features)
    searched = _compare_equal_hashes(links)
    hashes, hashed = _per_hash(features.hashes[searched], searched)
    windows, seen_in = _per_hash(features.windows[searched], searched)
    for found in near_pairs(hashes, windows, radius=RADIUS_BITS):
        links.settle(np.stack([hashed[found[:, 0]], seen_in[found[:, 1]]], axis=1))
    return links


def _compare_equal_hashes(links: Links) -> Indices:
    """Compare images of equal hash with the first of them, and return whom to search for.

    Those that are the first one's copies need not be searched for.
    """
    hashes = links.features.hashes[:, 0]
    waiting = np.argsort(hashes, kind="stable")
    searched = []
    for _ in range(_PER_HASH):
        values = hashes[waiting]
        is_first = np.ones(len(waiting), np.bool_)
        is_first[1:] = values[1:] != values[:-1]
        searched.append(waiting[is_first])
        firsts = waiting[is_first][np.cumsum(is_first) - 1]
        pairs = np.stack([firsts, waiting], axis=1)[~is_first]
        waiting = waiting[~is_first]
        if not len(waiting):
            break
        waiting = waiting[links.compare(pairs) < STRONG]
    return np.sort(np.concatenate(searched))


def _per_hash(hashes: NDArray[np.uint64], owners: Indices) -> tuple[NDArray[np.uint64], Indices]:
    """Take hashes (N, K) apart: each with its owner, once, and at most `_PER_HASH` owners each."""
    flat, owner = hashes.ravel(), np.repeat(owners, hashes.shape[1])
    order = np.lexsort((owner, flat))
    flat, owner = flat[order], owner[order]
    new = np.ones(len(flat), np.bool_)
    new[1:] = (flat[1:] != flat[:-1]) | (owner[1:] != owner[:-1])
    flat, owner = flat[new], owner[new]
    kept = np.arange(len(flat)) - np.searchsorted(flat, flat) < _PER_HASH
    return flat[kept], owner[kept]
