"""`review plan` on a console."""

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import print_json, say
from db import Decision
from pipelines.review.pace import KINDS, Pace
from pipelines.review.planning import ReviewPlan, Span

_NAMES = {
    "learning": "random, to fit the score",
    "audit": "audits",
    "doubtful": "what no audit accepts",
    "test": "the test split",
    "checks": "checks of reviewers",
    "all": "in all",
}


def print_plan(found: ReviewPlan, *, as_json: bool) -> None:
    """What review will take."""
    if as_json:
        print_json(found.as_dict())
    else:
        _print_lines(found)


def _print_lines(found: ReviewPlan) -> None:
    by = (
        f"by {found.known:,} that chance chose and people looked at"
        if found.known
        else "by the score, which nobody has checked yet: it may be off by a factor of two"
    )
    say(f"{found.masks:,} undecided masks, {_count(found.bad)} of them bad ({by})")
    Console().print(_table(found))
    if found.certified:
        say(
            f"unseen: {_count(found.unseen)} masks, at most {found.target_error:.2%} of what is "
            f"accepted with them bad ({found.confidence:.0%}); certified in "
            f"{found.certified:.0%} of the simulations"
        )
    else:
        say(f"no audit is worth it at {found.target_error:.2%}: every mask is looked at")
    say(
        f"with every mask looked at: {_count(found.without.questions)} questions, "
        f"{_hours(found.without.hours)} hours"
    )
    say(_seconds(found.pace))
    if found.learning:
        say(
            f"begin with `dataengine review push --order random --limit {found.learning}`, then "
            "`dataengine scores fit`, and plan again"
        )
    elif found.certified:
        say(f"begin with `dataengine certify --max-error {found.target_error:g}`")
    else:
        say("begin with `dataengine review push --order doubtful`")


def _table(found: ReviewPlan) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("questions", no_wrap=True)
    for heading in ("number", "bad", "hours"):
        table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True, style="dim")
    for step in [*found.steps, found.total]:
        cells = [*_cells(step.questions, 0), *_cells(step.bad, 0), *_cells(step.hours, 1)]
        table.add_row(_NAMES[step.name], *cells)
    return table


def _cells(span: Span, digits: int) -> tuple[str, str]:
    low, middle, high = (f"{each:,.{digits}f}" for each in (span.low, span.middle, span.high))
    return middle, "" if low == high else f"{low}–{high}"


def _seconds(people: Pace) -> str:
    def one(kind: Decision) -> str:
        number = people.measured[kind]
        how = f"{number:,} measured" if number else "not measured"
        return f"{kind} {people.seconds[kind]:.1f} ({how})"

    return "seconds a decision: " + ", ".join(one(kind) for kind in KINDS)


def _count(span: Span) -> str:
    return _said(span, 0)


def _hours(span: Span) -> str:
    return _said(span, 1)


def _said(span: Span, digits: int) -> str:
    middle, ends = _cells(span, digits)
    return f"{middle} ({ends.replace('–', ' to ')})" if ends else middle
