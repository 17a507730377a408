"""A row of the articles' tables, and the tables as text."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Final

from sinet.metrics import Interval

SCORED: Final = ("native_iou", "iou", "boundary_f1")
"""Fields of `SeedScores`, and of an image's scores, by which a training is told."""

_NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class SeedScores:
    """Means over the images of `val` with somebody, each 0..1.

    Attributes:
        seed: of the training.
        native_iou: at the size of each image.
        iou: the authors' metric, at 224 × 224.
        boundary_f1: at 224 × 224.
    """

    seed: int
    native_iou: float
    iou: float
    boundary_f1: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AblationRow:
    """A row of a table.

    Attributes:
        table: network whose article it is of.
        name: of the row.
        network: that is trained.
        recipe: by which; empty: its portrait recipe.
        options: of the network that differ from its defaults.
        losses: weights that differ from the recipe's.
        asks: what the row is there to tell.
        published: what an article says of it, and of which data; empty: nothing that was found.
        parameters: number of weights.
        macs: multiply-accumulates of an image.
        eager_ms: in PyTorch, one thread; None: not timed.
        exported_ms: in ONNX Runtime likewise.
        seeds: scores of each training that is done.
        native_iou_difference: to the first row of the table, image by image, each the mean of the
            seeds that both have; None: it is the first, or one of both was not trained.
        iou_difference: likewise.
        seed_differences: of mean native IoU to the first row's, of each seed that both have: what
            chance in training does, of which the intervals know nothing.
        not_trained: why there are fewer trainings than asked for; empty: all are done.
    """

    table: str
    name: str
    network: str
    recipe: str
    options: Mapping[str, Any]
    losses: Mapping[str, float]
    asks: str
    published: str
    parameters: int
    macs: int | None
    eager_ms: float | None = None
    exported_ms: float | None = None
    seeds: Sequence[SeedScores] = ()
    native_iou_difference: Interval | None = None
    iou_difference: Interval | None = None
    seed_differences: Sequence[float] = ()
    not_trained: str = ""


def markdown(rows: Sequence[AblationRow]) -> str:
    """Return the tables, a line a row."""
    titles = (
        "row",
        "what differs",
        "parameters",
        "MACs (M)",
        "eager ms",
        "exported ms",
        "native IoU",
        "IoU",
        "boundary F1",
        "native IoU against the first",
        "published",
    )
    lines = []
    for row in rows:
        if row.native_iou_difference is None and row.name == row.table:
            lines += [titles, ("---", "---", *["---:"] * 7, "---", "---")]
        lines.append(
            (
                row.name,
                row.asks,
                f"{row.parameters:,}",
                _NOTHING if row.macs is None else f"{row.macs / 1e6:,.1f}",
                *(
                    _NOTHING if ms is None else f"{ms:.1f}"
                    for ms in (row.eager_ms, row.exported_ms)
                ),
                *(_spread(row, name) for name in SCORED),
                _points(row) or row.not_trained or _NOTHING,
                row.published or _NOTHING,
            )
        )
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text.replace("|\n| row |", "|\n\n| row |")


def as_csv(rows: Sequence[AblationRow]) -> str:
    """Return the rows as CSV, numbers unrounded, nothing where there is none."""
    text = io.StringIO(newline="")
    plain = ("table", "name", "network", "asks", "parameters", "macs", "eager_ms", "exported_ms")
    ends = ("difference", "low", "high")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, "trainings", *SCORED, *ends, "not_trained", "published"])
    for row in rows:
        sure = row.native_iou_difference or (None, None, None)
        values = [getattr(row, name) for name in plain]
        means = [_mean(row, name) for name in SCORED]
        writer.writerow([*values, len(row.seeds), *means, *sure, row.not_trained, row.published])
    return text.getvalue()


def as_dict(row: AblationRow) -> dict[str, Any]:
    """Return a row as plain values."""
    values = asdict(row)
    for name in ("native_iou_difference", "iou_difference"):
        sure = getattr(row, name)
        values[name] = sure and sure._asdict()
    return values


def _mean(row: AblationRow, measure: str) -> float | None:
    return fmean(getattr(each, measure) for each in row.seeds) if row.seeds else None


def _spread(row: AblationRow, measure: str) -> str:
    """The mean; of several trainings the lowest and the highest, too."""
    found = [getattr(each, measure) for each in row.seeds]
    if not found:
        return _NOTHING
    ends = f" ({min(found):.4f} to {max(found):.4f})" if len(found) > 1 else ""
    return f"{fmean(found):.4f}{ends}"


def _points(row: AblationRow) -> str:
    sure = row.native_iou_difference
    if sure is None:
        return ""
    low, high = 100 * sure.low, 100 * sure.high
    seeds = ", ".join(f"{100 * each:+.2f}" for each in row.seed_differences)
    by_seed = f"; by seed {seeds}" if len(row.seed_differences) > 1 else ""
    return f"{100 * sure.difference:+.2f} ({low:+.2f} to {high:+.2f}){by_seed}"
