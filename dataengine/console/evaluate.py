"""`evaluate` on a console: a table of scores, a picture of the worst."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from dataengine.console.shared.progress import shown
from dataengine.console.shared.text import print_json
from pipelines.networks import NetworkRef, load_person_model
from sinet.contact_sheet import check_picture_path, worst_samples, write_contact_sheet
from sinet.data import evaluation_samples
from sinet.evaluate import Evaluation, Scores, evaluate_all
from sinet.metrics import Interval, paired_bootstrap
from sinet.models import Cost, cost

_ROWS = {
    "iou": "IoU at 224 × 224 (the authors' metric)",
    "native_iou": "IoU at native size",
    "miou": "mIoU, person and background",
    "boundary_f1": "boundary F1",
    "boundary_iou": "Boundary IoU",
}


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What `evaluate` was asked for.

    Attributes:
        network: to score, resolved.
        data: folder of the data set.
        split: of it; None: `val` if there is one, else everything.
        compare: to score beside it.
        worst: how many of the worst images to draw, and where.
        limit: score only so many images, from the beginning.
        device: `auto`, `cpu` or `cuda`.
    """

    network: NetworkRef
    data: Path
    split: str | None
    compare: NetworkRef | None
    worst: tuple[int, Path] | None
    limit: int | None
    device: str


@dataclass(frozen=True)
class _Scored:
    """One model's scores."""

    network: NetworkRef
    cost: Cost
    evaluation: Evaluation

    @property
    def ious(self) -> list[float]:
        return [scores.iou for scores in self.evaluation.images.values()]

    @property
    def interval(self) -> Interval:
        """Of the mean iou: the difference to a model that finds nothing."""
        return paired_bootstrap(self.ious, [0.0] * len(self.ious))


def run_evaluation(request: EvaluationRequest, *, as_json: bool) -> None:
    """Score, draw and print."""
    # What is mistyped is told before the time is spent.
    networks = [each for each in (request.network, request.compare) if each]
    models = [load_person_model(each, device=request.device) for each in networks]
    if request.worst:
        check_picture_path(request.worst[1])
    split, samples = evaluation_samples(request.data, request.split)
    samples = samples[: request.limit]
    labels = ", ".join(each.label for each in networks)
    evaluations = evaluate_all(models, shown(samples, labels))
    scored = [
        _Scored(each, cost(model), evaluation)
        for each, model, evaluation in zip(networks, models, evaluations, strict=True)
    ]
    if request.worst:
        count, picture = request.worst
        found = scored[0].evaluation
        chosen = worst_samples(samples, found, count)
        write_contact_sheet(picture, models[0], chosen, found)
    if as_json:
        print_json(_as_dict(scored, request.data, split))
        return
    _print_table(scored, f"{len(samples):,} images, {request.data}, split {split}")
    if request.worst:
        typer.echo(f"Wrote {request.worst[1]}")


def _difference(scored: Sequence[_Scored]) -> Interval:
    """Of the mean iou of the first and the second, image by image."""
    return paired_bootstrap(scored[0].ious, scored[1].ious)


def _print_table(scored: Sequence[_Scored], title: str) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=len(scored) > 1)
    table.add_column("")
    for name in _titles([each.network for each in scored]):
        table.add_column(name, justify="right")
    for name, text in _ROWS.items():
        table.add_row(text, *(f"{getattr(each.evaluation.mean, name):.4f}" for each in scored))
        if name == "iou":
            table.add_row("  95 % interval", *(_range(each.interval) for each in scored))
    table.add_row("parameters", *(f"{each.cost.parameters:,}" for each in scored))
    table.add_row("MACs of an image", *(_macs(each.cost.macs) for each in scored))
    typer.echo(title)
    Console(highlight=False).print(table)
    if len(scored) > 1:
        found = _difference(scored)
        typer.echo(
            f"difference in IoU {100 * found.difference:+.2f} points, "
            f"95 % interval {100 * found.low:+.2f} to {100 * found.high:+.2f} (paired bootstrap)"
        )


def _titles(networks: Sequence[NetworkRef]) -> list[str]:
    """Labels; of files with their folder where the labels alone are the same, as of two runs."""
    names = [each.label for each in networks]
    if len(set(names)) == len(names):
        return names
    return [
        f"{each.file.parent.name}/{each.file.name}" if each.file else each.name for each in networks
    ]


def _range(interval: Interval) -> str:
    return f"{interval.low:.4f} to {interval.high:.4f}"


def _macs(macs: int | None) -> str:
    return "not known" if macs is None else f"{macs / 1e6:,.2f} M"


def _as_dict(scored: Sequence[_Scored], data: Path, split: str) -> dict[str, Any]:
    found = _one(scored[0])
    found = {"data": str(data), "split": split, "count": len(scored[0].ious), **found}
    if len(scored) > 1:
        difference = _difference(scored)
        found["compared_with"] = _one(scored[1])
        found["iou_difference"] = {
            "mean": difference.difference,
            "interval_95": [difference.low, difference.high],
        }
    return found


def _one(scored: _Scored) -> dict[str, Any]:
    interval = scored.interval
    images: dict[str, Scores] = scored.evaluation.images
    return {
        "checkpoint": str(scored.network),
        "parameters": scored.cost.parameters,
        "macs": scored.cost.macs,
        "mean": asdict(scored.evaluation.mean),
        "iou_interval_95": [interval.low, interval.high],
        "images": {name: asdict(scores) for name, scores in images.items()},
    }
