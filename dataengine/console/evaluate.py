"""`evaluate` on a console: a table of scores, and one of slices."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import cell, print_json, say
from pipelines.networks import NetworkRef
from pipelines.networks.class_scoring import ClassesScored
from pipelines.networks.evaluating import MEASURES, Evaluated, Scored
from pipelines.networks.matting import MatteEvaluated
from pipelines.networks.slicing import LEAST, SliceScore, WorstSlice
from pipelines.pictures.traits import SKIN_TONE, interval, skin_range, trait_title
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
    _print_slices(found.scored)
    if found.drawn is not None:
        say(f"Wrote {found.drawn}")


_MATTE_ROWS = {
    "sad": "SAD, thousands",
    "mse": "MSE, thousandths",
    "grad": "Grad, thousands",
    "conn": "Conn, thousands",
}


def print_matte(found: MatteEvaluated, *, as_json: bool) -> None:
    """Errors of a soft matte, as a table."""
    evaluation = found.evaluation
    if as_json:
        print_json(
            {
                "network": found.network.label,
                "data": str(found.data),
                "split": found.split,
                "mean": {"whole": evaluation.whole, "unknown": evaluation.unknown},
                "images": evaluation.images,
            }
        )
        return
    say(f"{len(evaluation.images):,} images, {found.data}, split {found.split}; lower is better")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in ("unknown band", "whole image"):
        table.add_column(title, justify="right")
    for name, text in _MATTE_ROWS.items():
        times = 1000 if name == "mse" else 1
        values = [
            "–" if errors is None else f"{getattr(errors, name) * times:,.2f}"
            for errors in (evaluation.unknown, evaluation.whole)
        ]
        table.add_row(text, *values)
    Console(highlight=False).print(table)


def print_classes(found: ClassesScored, *, as_json: bool) -> None:
    """A line a class, and their mean."""
    if as_json:
        values = {each.name: getattr(found, each.name) for each in fields(found)}
        print_json({**values, "data": str(found.data)})
        return
    say(f"{found.images:,} images, {found.data}, split {found.split}")
    say(f"Masks read as: {told(found.masks_read)}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("class", "IoU", "pixels"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for each in found.classes:
        iou = "–" if each.iou is None else f"{each.iou:.4f}"
        table.add_row(cell(each.name), iou, f"{each.pixels:,}")
    table.add_row("mIoU", f"{found.miou:.4f}", "")
    table.add_row("pixel accuracy", f"{found.pixel_accuracy:.4f}", "")
    Console(highlight=False).print(table)
    say(f"{found.parameters:,} parameters, {_macs(found.macs)} MACs of an image")


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


def _print_slices(scored: Sequence[Scored]) -> None:
    """A line a slice; of one network with intervals, of two a column each; the worst of each."""
    by_slice = [each.by_slice for each in scored if each.by_slice is not None]
    if not by_slice:
        return
    titles = _titles([each.network for each in scored])
    is_one = len(titles) == 1
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("native IoU by slice", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("images", justify="right")
    for name in ["mean", "95 % interval"] if is_one else titles:
        table.add_column(cell(name), justify="right")
    last = None
    for row in zip(*(each.slices for each in by_slice), strict=True):
        of = row[0]
        shown = [f"{each.native_iou:.4f}" for each in row]
        if is_one:
            shown.append(_ends(of.native_iou_interval_95))
        title = "" if of.trait == last else trait_title(of.trait)
        table.add_row(cell(title), cell(_within(of)), f"{of.images:,}", *shown)
        last = of.trait
    Console(highlight=False).print(table)
    for name, each in zip(titles, by_slice, strict=True):
        _print_worst("" if is_one else f"{name}: ", each.worst)
    say(
        f"slices of fewer than {LEAST} images cannot be the worst; the intervals of the worst one "
        "know that it was chosen for being the lowest"
    )


def _print_worst(whose: str, worst: WorstSlice | None) -> None:
    if worst is None:
        say(f"{whose}no slice has the {LEAST} images that the worst one must have")
        return
    of = worst.slice
    below = " to ".join(f"{100 * end:.2f}" for end in worst.below_mean_interval_95)
    say(
        f"{whose}worst of {worst.chosen_from:,} slices: {trait_title(of.trait)} {_within(of)}, "
        f"{of.native_iou:.4f} ({_ends(worst.lowest_interval_95)}), "
        f"{100 * worst.below_mean:.2f} points below the mean ({below})"
    )


def _within(each: SliceScore) -> str:
    """What the images of a slice have in common, beside the name of the trait."""
    if each.low is None or each.high is None:
        return each.value or ""
    if each.trait == SKIN_TONE:
        return f"{each.value}, {skin_range(each.low, each.high)}"
    return interval(each.trait, each.low, each.high)


def _ends(ends: tuple[float, float] | None) -> str:
    return "–" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}"


def _titles(networks: Sequence[NetworkRef]) -> list[str]:
    """Labels; of files with their folder where the labels alone are the same, as of two runs."""
    names = [each.label for each in networks]
    if len(set(names)) == len(names):
        return names
    return [
        f"{each.file.parent.name}/{each.file.name}" if each.file else each.name for each in networks
    ]


def _range(sure: Interval) -> str:
    return _ends((sure.low, sure.high))


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
    by_slice = scored.by_slice
    images = scored.evaluation.images
    return {
        "network": str(scored.network),
        "parameters": scored.cost.parameters,
        "macs": scored.cost.macs,
        "mean": asdict(scored.evaluation.mean),
        **{f"{name}_interval_95": [each.low, each.high] for name, each in intervals.items()},
        "negatives": len(scored.evaluation.negatives),
        "false_person_rate": scored.evaluation.false_person_rate,
        "slices": by_slice and by_slice.slices,
        "worst_slice": by_slice and by_slice.worst,
        "by_image": {name: asdict(scores) for name, scores in images.items()},
    }
