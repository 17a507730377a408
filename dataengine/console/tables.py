"""Text for people: tables and lines."""

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.portraits.funnel import Funnel
from pipelines.portraits.listing import PortraitLine
from pipelines.review.status import ReviewCounts


def print_json(value: Any) -> None:
    """One JSON document; names that are no UTF-8 survive as escapes.

    Args:
        value: plain values, times and dataclasses (not by `asdict`, which breaks their counters).
    """
    print(json.dumps(value, indent=2, default=_plain))  # noqa: T201


def print_funnel(found: Funnel) -> None:
    """The funnel as a table, most important first, zeros left out where they say nothing."""
    images = found.images
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("files", f"{images.seen:,}", _note(images.duplicates, "copies of others"))
    table.add_row("images", f"{images.unique:,}", f"{images.with_portraits:,} with portraits")
    if images.no_face:
        table.add_row("  no face", f"{images.no_face:,}", "")
    if images.failed:
        table.add_row("  failed", f"{images.failed:,}", _counts(found.failures))
    table.add_row("portraits", f"{found.portraits:,}", "")
    for verdict, number in found.verdicts.items():
        table.add_row(f"  {verdict}", f"{number:,}", "")
    waiting = sum(states["todo"] + states["doing"] for states in found.jobs.values())
    if waiting:
        table.add_row("jobs left", f"{waiting:,}", "run ingest again to go on")
    Console().print(table)
    if found.reasons:
        Console().print(f"reasons: {_counts(found.reasons)}", style="dim", highlight=False)


def print_review(found: ReviewCounts) -> None:
    """How review stands, as tables; zeros left out where they say nothing."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("pushed", f"{found.pushed:,}", _note(found.superseded, "withdrawn before"))
    table.add_row("  waiting", f"{found.waiting:,}", "")
    for name, number in (
        ("accepted", found.accepted),
        ("rejected", found.rejected),
        ("fixed", found.fixed),
    ):
        table.add_row(f"  {name}", f"{number:,}", "")
    if found.disagreed:
        table.add_row("  disagreed", f"{found.disagreed:,}", "the next push asks again")
    if found.unsent:
        table.add_row("not sent yet", f"{found.unsent:,}", "run review push again to go on")
    Console().print(table)
    if found.reviewers:
        Console().print(_reviewer_table(found))
    if any(counts.errors for counts in found.reviewers.values()):
        Console().print(_error_table(found))
    for name, again in (
        ("people", found.rechecked.by_people),
        ("a certificate", found.rechecked.by_certificate),
    ):
        if again.shown:
            Console().print(f"accepted by {name}, shown again: bad {again}")
    for problem in found.problems:
        Console().print(f"problem: {printable(problem)}", highlight=False, markup=False)


def _reviewer_table(found: ReviewCounts) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("reviewer")
    for heading in ("decisions", "accept", "reject", "fix", "median", "agreement"):
        table.add_column(heading, justify="right")
    for name, counts in found.reviewers.items():
        median = f"{counts.median_seconds:.1f} s" if counts.median_seconds is not None else "–"
        agreement = f"{counts.agreed} of {counts.shared}" if counts.shared else "–"
        kinds = [f"{counts.decisions.get(kind, 0):,}" for kind in ("accept", "reject", "fix")]
        total = sum(counts.decisions.values())
        table.add_row(printable(name), f"{total:,}", *kinds, median, agreement)
    return table


def _error_table(found: ReviewCounts) -> Table:
    """On masks whose answer is known, and on those they had judged before; 95 % intervals."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("reviewer", "bad missed", "good refused", "changed"):
        table.add_column(heading)
    for name, counts in found.reviewers.items():
        if counts.errors is not None:
            rates = (counts.errors.missed, counts.errors.refused, counts.errors.changed)
            table.add_row(printable(name), *map(str, rates))
    return table


def portrait_line(line: PortraitLine, *, as_json: bool) -> str:
    """One portrait for `list`."""
    if as_json:
        return json.dumps(line.as_dict())
    confidence = line.scores.get("confidence")
    columns = [
        f"{line.portrait_id:>6}",
        f"{line.verdict or 'pending':<9}",
        f"{confidence:.3f}" if confidence is not None else "  –  ",
        printable(line.image_path or "(overwritten)"),
        ",".join(line.reasons),
    ]
    return "  ".join(columns).rstrip()


def printable(path: str) -> str:
    """A path on one line of any terminal: newlines and bytes that are no UTF-8 are escaped."""
    shown = path.encode("utf-8", "backslashreplace").decode()
    return shown.replace("\n", "\\n").replace("\r", "\\r")


def number_of(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 blob``, ``2,000 blobs``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _note(number: int, text: str) -> str:
    return f"{number:,} {text}" if number else ""


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())
