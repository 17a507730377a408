"""`status` on a console: the funnel."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import print_json
from db import Stage
from pipelines.portraits.funnel import Funnel
from pipelines.review.status import WorkspaceStatus


def print_status(found: WorkspaceStatus, *, as_json: bool) -> None:
    """The funnel; as JSON also how review stands."""
    if as_json:
        print_json(found.as_dict())
    else:
        print_funnel(found.funnel)


def print_funnel(found: Funnel) -> None:
    """The funnel as a table, most important first, zeros left out where they say nothing."""
    photos = found.photos
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("files", f"{photos.seen:,}", _note(photos.duplicates, "copies of others"))
    table.add_row("photos", f"{photos.unique:,}", f"{photos.with_portraits:,} with portraits")
    if photos.no_face:
        table.add_row("  no face", f"{photos.no_face:,}", "")
    if photos.failed:
        reasons = _of_stages(found, Stage.READ, Stage.DETECT)
        table.add_row("  failed", f"{photos.failed:,}", _counts(reasons))
    table.add_row("portraits", f"{found.portraits:,}", "")
    for stage, name in ((Stage.IMPORT, "masks not imported"), (Stage.LABEL, "not labelled")):
        if reasons := _of_stages(found, stage):
            table.add_row(f"  {name}", f"{sum(reasons.values()):,}", _counts(reasons))
    for verdict, number in found.verdicts.items():
        table.add_row(f"  {verdict}", f"{number:,}", "")
    waiting = sum(states["todo"] + states["doing"] for states in found.jobs.values())
    if waiting:
        table.add_row("jobs left", f"{waiting:,}", "run ingest again to go on")
    Console().print(table)
    if found.reasons:
        Console().print(f"reasons: {_counts(found.reasons)}", style="dim", highlight=False)


def _of_stages(found: Funnel, *stages: Stage) -> dict[str, int]:
    """Failures of some stages by reason, most of them first."""
    total: Counter[str] = Counter()
    for stage in stages:
        total.update(found.failures_by_stage.get(stage, {}))
    return dict(total.most_common())


def _note(number: int, text: str) -> str:
    return f"{number:,} {text}" if number else ""


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())
