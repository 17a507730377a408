"""A score model in two pictures: is its probability true, and what do its first finds cost?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 10


def reliability(
    path: Path, bad: NDArray[np.bool_], doubts: Mapping[str, NDArray[np.float64]]
) -> None:
    """Write a reliability diagram: the share that is bad against the probability that was said.

    Args:
        path: PNG.
        bad: (N,) what is true.
        doubts: by name, (N,) probabilities; each in tenths of the masks.
    """
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="true probabilities")
    for name, doubt in doubts.items():
        pieces = [piece for piece in np.array_split(np.argsort(doubt), _BINS) if len(piece)]
        said = [doubt[piece].mean() for piece in pieces]
        found = np.array([bad[piece].mean() for piece in pieces])
        spread = np.sqrt(found * (1 - found) / [len(piece) for piece in pieces])
        axes.errorbar(said, found, spread, marker="o", markersize=4, linewidth=1, label=name)
    axes.set(xlabel="probability that the mask is bad", ylabel="share that is bad")
    axes.set(xlim=(-0.02, 1), ylim=(-0.02, 1))
    _save(figure, axes, path)


def precision_recall(
    path: Path, bad: NDArray[np.bool_], doubts: Mapping[str, NDArray[np.float64]]
) -> None:
    """Write precision against recall, most doubtful masks first.

    Args:
        path: PNG.
        bad: (N,) what is true.
        doubts: by name, (N,) higher for worse masks.
    """
    figure, axes = _figure()
    axes.axhline(bad.mean(), color="0.7", linewidth=1, label="random order")
    for name, doubt in doubts.items():
        found = np.cumsum(bad[np.argsort(-doubt, kind="stable")])
        seen = np.arange(1, len(bad) + 1)
        axes.plot(found / found[-1], found / seen, linewidth=1.3, label=name)
    axes.set(xlabel="share of the bad masks found", ylabel="share of the masks seen that is bad")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _save(figure, axes, path)


def _figure() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Any, axes: Any, path: Path) -> None:
    # Above the axes: a curve may run through any corner.
    figure.legend(loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
