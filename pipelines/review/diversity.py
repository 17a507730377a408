"""Masks that are doubtful and unlike each other: what a student learns most from.

Doubt alone asks about the same mistake again and again, since pictures that look alike are
mistaken alike. Here each next mask is the one with the most doubt times distance to whatever was
chosen or decided before it (greedy k-centre, weighted): a second mask of a kind is asked about only
once the other kinds have had their turn, or if it is doubtful enough.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

DIMENSIONS: Final = 32
"""Principal components that distances are measured in: the rest is mostly noise, and costs."""


def most_informative(
    doubt: Floats, features: Floats, groups: NDArray[np.integer], decided: Floats, number: int
) -> NDArray[np.intp]:
    """Choose masks one by one: the most doubt times distance to all that came before.

    The time grows with N × (number + D).

    Args:
        doubt: (N,), at least 0, of each mask.
        features: (N, C), of its portrait; scales may differ between the C.
        groups: (N,), number of its group of near-duplicates: once one of a group is chosen, the
            others come after every other group.
        decided: (D, C), of portraits that people have decided about; maybe none.
        number: how many, at most N.

    Returns:
        (number,), places in `doubt`, the most informative first.
    """
    if not number:
        return np.zeros(0, np.intp)
    placed, known = _principal(np.asarray(features, np.float32), np.asarray(decided, np.float32))
    squares = np.einsum("nc,nc->n", placed, placed)
    doubt = np.asarray(doubt, np.float64)
    nearest: Floats = np.full(len(placed), np.inf)
    for centre in known:
        np.minimum(nearest, _distances(placed, squares, centre), out=nearest)
    if not len(known):
        # Nothing to be far from yet: the first one is the most doubtful.
        nearest[:] = 1.0
    alone = np.ones(len(placed), bool)
    free = np.ones(len(placed), bool)
    chosen = np.zeros(number, np.intp)
    for turn in range(number):
        worth = doubt * np.sqrt(nearest)
        # Near-duplicates of what was chosen come last, in the order of the same worth.
        worth[~alone] -= 1 + worth.max()
        worth[~free] = -np.inf
        place = int(worth.argmax())
        chosen[turn] = place
        free[place] = False
        alone &= groups != groups[place]
        away = _distances(placed, squares, placed[place])
        nearest = away if turn == 0 and not len(known) else np.minimum(nearest, away)
    return chosen


def _principal(features: Floats, decided: Floats) -> tuple[Floats, Floats]:
    """Both in the principal components of both, every feature on one scale before."""
    every = np.concatenate([features, decided.reshape(-1, features.shape[1])])
    spread = every.std(0)
    every = (every - every.mean(0)) / np.where(spread > 0, spread, 1)
    # Of C × C numbers, however many pictures there are.
    _, axes = np.linalg.eigh(every.T @ every)
    every = every @ axes[:, -DIMENSIONS:]
    return every[: len(features)], every[len(features) :]


def _distances(placed: Floats, squares: Floats, centre: Floats) -> Floats:
    """Squared Euclidean distances, at least 0: (N,)."""
    return np.maximum(squares - 2 * (placed @ centre) + centre @ centre, 0)
