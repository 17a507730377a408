"""`review status` on a console."""

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import cell, print_json, say
from pipelines.review.status import ReviewCounts


def print_review(found: ReviewCounts, *, as_json: bool) -> None:
    """How review stands."""
    if as_json:
        print_json(found.as_dict())
    else:
        _print_tables(found)


def _print_tables(found: ReviewCounts) -> None:
    """How review stands, as tables; zeros left out where they say nothing."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("pushed", f"{found.pushed:,}", _note(found.withdrawn, "withdrawn before"))
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
    if any(counts.error_rates for counts in found.reviewers.values()):
        Console().print(_error_table(found))
    for name, again in (
        ("people", found.rechecked.by_people),
        ("a certificate", found.rechecked.by_certificate),
    ):
        if again.shown:
            say(f"accepted by {name}, shown again: bad {again}")
    for problem in found.problems:
        say(f"problem: {problem}")


def _reviewer_table(found: ReviewCounts) -> Table:
    """What each did; the last column is there once somebody has fixed a mask by clicks."""
    has_clicks = any(counts.marks_a_fix is not None for counts in found.reviewers.values())
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("reviewer")
    headings = ("decisions", "accept", "reject", "fix", "median", "agreement")
    for heading in (*headings, "clicks a fix") if has_clicks else headings:
        table.add_column(heading, justify="right")
    for name, counts in found.reviewers.items():
        median = f"{counts.median_seconds:.1f} s" if counts.median_seconds is not None else "–"
        agreement = f"{counts.agreed} of {counts.shared}" if counts.shared else "–"
        kinds = [f"{counts.decisions.get(kind, 0):,}" for kind in ("accept", "reject", "fix")]
        total = sum(counts.decisions.values())
        clicks = f"{counts.marks_a_fix:.1f}" if counts.marks_a_fix is not None else "–"
        last = [clicks] if has_clicks else []
        table.add_row(cell(name), f"{total:,}", *kinds, median, agreement, *last)
    return table


def _error_table(found: ReviewCounts) -> Table:
    """On masks whose answer is known, and on those they had judged before; 95 % intervals."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("reviewer", "bad missed", "good refused", "changed"):
        table.add_column(heading)
    for name, counts in found.reviewers.items():
        if (rates := counts.error_rates) is not None:
            shown = (rates.missed, rates.false_alarms, rates.changed)
            table.add_row(cell(name), *map(str, shown))
    return table


def _note(number: int, text: str) -> str:
    return f"{number:,} {text}" if number else ""
