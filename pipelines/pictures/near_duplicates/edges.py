"""Pairs of images that are alike, and the groups that they make.

Strong edges join, also through others. A weak one joins two clusters only if every cluster's first
image is linked, weakly at least, with the first image of every other cluster that would come into
the group. So no chain of photos, each a little like the one before, makes a group of strangers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.verify import STRONG, WEAK, Floats

Indices = NDArray[np.int64]

# Clusters of a group times those of another: beyond it a weak edge is left alone.
_MOST_COMPARISONS = 256


@dataclass(frozen=True, eq=False)
class Edges:
    """What was found of pairs, each once at least, those that are not alike left out.

    Attributes:
        ends: int64 (K, 2), rows or ids of images.
        likeness: float32 (K,), `WEAK` at least.
    """

    ends: Indices = field(default_factory=lambda: np.empty((0, 2), np.int64))
    likeness: Floats = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def of(cls, pairs: Indices, likeness: Floats) -> "Edges":
        """Those of compared pairs (P, 2) that are alike."""
        alike = likeness >= WEAK
        return cls(pairs[alike], likeness[alike])

    @classmethod
    def together(cls, parts: Sequence["Edges"]) -> "Edges":
        """All of them."""
        if not parts:
            return cls()
        ends = np.concatenate([part.ends for part in parts])
        return cls(ends, np.concatenate([part.likeness for part in parts]))

    def called(self, names: Indices) -> "Edges":
        """With names (N,) in place of rows."""
        return Edges(names[self.ends], self.likeness)

    def kept(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> "Edges":
        """The chosen ones: bool (K,), or their places."""
        return Edges(self.ends[chosen], self.likeness[chosen])


def join(count: int, edges: Edges, compare: Callable[[Indices], Floats]) -> Indices:
    """Make groups.

    Args:
        count: of images.
        edges: between their rows, in any order.
        compare: how alike pairs of rows (P, 2) are, each with the smaller one first; asked at once
            for all clusters with a weak edge between them, and then for others of these clusters.

    Returns:
        int64 (count,): for each row the first row of its group, maybe its own.
    """
    is_strong = edges.likeness >= STRONG
    first = cluster_firsts(count, edges.ends[is_strong])
    weak = edges.kept(~is_strong)
    ends = np.sort(first[weak.ends], axis=1)
    between = ends[:, 0] != ends[:, 1]
    ends, likeness = ends[between], weak.likeness[between]
    strongest_first = np.lexsort((ends[:, 1], ends[:, 0], -likeness))
    links = list(dict.fromkeys(map(tuple, ends[strongest_first].tolist())))
    alike = _Alike(compare)
    alike.ask(links)
    # A cluster is stood for by its first row; those without weak links are groups already.
    clusters = np.unique(ends).tolist()
    groups = {each: [each] for each in clusters}
    group_of = {each: each for each in clusters}
    for a, b in links:
        one, other = sorted((group_of[a], group_of[b]))
        if one == other or not alike.all(groups[one], groups[other]):
            continue
        groups[one] += groups.pop(other)
        group_of.update(dict.fromkeys(groups[one], one))
    to = np.arange(count)
    to[clusters] = [group_of[each] for each in clusters]
    return np.asarray(to[first], np.int64)


def cluster_firsts(count: int, pairs: Indices) -> Indices:
    """For each of so many rows the first one that pairs (P, 2) join it with, maybe itself."""
    # Imported here: it takes a fifth of a second, and most commands never come this way.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(pairs):
        return np.arange(count)
    rows, columns = pairs.T
    graph = coo_array((np.ones(len(pairs), np.bool_), (rows, columns)), shape=(count, count))
    _, firsts, inverse = np.unique(
        connected_components(graph, directed=False)[1], return_index=True, return_inverse=True
    )
    return np.asarray(firsts[inverse], np.int64)


class _Alike:
    """Which first images are alike, each pair asked for once."""

    def __init__(self, compare: Callable[[Indices], Floats]) -> None:
        self._compare = compare
        self._known: dict[tuple[int, int], bool] = {}

    def ask(self, pairs: Sequence[tuple[int, int]]) -> None:
        unknown = [pair for pair in pairs if pair not in self._known]
        if unknown:
            found = self._compare(np.array(unknown, np.int64)) >= WEAK
            self._known |= zip(unknown, found.tolist(), strict=True)

    def all(self, some: Sequence[int], others: Sequence[int]) -> bool:
        if len(some) * len(others) > _MOST_COMPARISONS:
            return False
        pairs = [(min(a, b), max(a, b)) for a in some for b in others]
        self.ask(pairs)
        return all(self._known[pair] for pair in pairs)
