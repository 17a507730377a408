"""`evaluate` on a console: a table of scores."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import print_json, say
from pipelines.networks import NetworkRef
from pipelines.networks.evaluating import MEASURES, Evaluated, Scored
from sinet.metrics import Interval
from sinet.pictures.masks import told

_ROWS = {
    "native_iou": "IoU at native size",
    "iou": "IoU at 224 × 224 (the authors' metric)",
    "miou": "mIoU, person and background",
    "boundary_f1": "boundary F1",
    "boundary_iou": "Boundary IoU",
}


def print_evaluated(found: Evaluated, *, as_json: bool) -> None:
    """The scores, as a table."""
    for warning in found.warnings:
        say(f"warning: {warning}", err=True)
    if as_json:
        print_json(_as_dict(found))
        return
    evaluation = found.scored[0].evaluation
    without = f", {len(evaluation.negatives):,} without a person" if evaluation.negatives else ""
    say(f"{len(evaluation.images):,} images{without}, {found.data}, split {found.split}")
    say(f"Masks read as: {told(found.masks_read)}")
    _print_table(found.scored)
    for name, sure in found.differences.items():
        say(
            f"difference in {_ROWS[name]} {100 * sure.difference:+.2f} points, "
            f"95 % interval {100 * sure.low:+.2f} to {100 * sure.high:+.2f} (paired bootstrap)"
        )
    if found.drawn is not None:
        say(f"Wrote {found.drawn}")


def _print_table(scored: Sequence[Scored]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=len(scored) > 1)
    table.add_column("")
    for name in _titles([each.network for each in scored]):
        table.add_column(name, justify="right")
    for name, text in _ROWS.items():
        table.add_row(text, *(f"{getattr(each.evaluation.mean, name):.4f}" for each in scored))
        if name in MEASURES:
            table.add_row("  95 % interval", *(_range(each.interval(name)) for each in scored))
    if scored[0].evaluation.negatives:
        number = len(scored[0].evaluation.negatives)
        rates = (f"{each.evaluation.false_person_rate or 0:.4f}" for each in scored)
        table.add_row(f"false persons, of {number:,} images without one", *rates)
    table.add_row("parameters", *(f"{each.cost.parameters:,}" for each in scored))
    table.add_row("MACs of an image", *(_macs(each.cost.macs) for each in scored))
    Console(highlight=False).print(table)


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


def _as_dict(found: Evaluated) -> dict[str, Any]:
    first, other = found.scored[0], found.scored[1] if len(found.scored) > 1 else None
    return {
        "data": str(found.data),
        "split": found.split,
        "images": len(first.evaluation.images),
        "masks_read": found.masks_read,
        **_one(first),
        "resolution": first.network.resolution,
        "compared_with": other and _one(other),
        **{f"{name}_difference": _interval(found.differences.get(name)) for name in MEASURES},
        "drawn": None if found.drawn is None else str(found.drawn),
        "warnings": found.warnings,
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else found._asdict()


def _one(scored: Scored) -> dict[str, Any]:
    intervals = {name: scored.interval(name) for name in MEASURES}
    images = scored.evaluation.images
    return {
        "network": str(scored.network),
        "parameters": scored.cost.parameters,
        "macs": scored.cost.macs,
        "mean": asdict(scored.evaluation.mean),
        **{f"{name}_interval_95": [each.low, each.high] for name, each in intervals.items()},
        "negatives": len(scored.evaluation.negatives),
        "false_person_rate": scored.evaluation.false_person_rate,
        "by_image": {name: asdict(scores) for name, scores in images.items()},
    }
