"""`review pull` on a console."""

from collections.abc import Iterable

from dataengine.console.shared.signals import ended_by_signals
from dataengine.console.shared.text import say
from pipelines.review.pull import PullResult
from sinet.escaping import printable
from sinet.json_text import to_json


def print_pulls(results: Iterable[PullResult], *, as_json: bool) -> None:
    """What each of them brought, as it comes, until Ctrl-C."""
    with ended_by_signals():
        try:
            for result in results:
                print_pull(result, as_json=as_json)
        except KeyboardInterrupt:
            say("Stopped.", err=True)


def print_pull(result: PullResult, *, as_json: bool) -> None:
    """What it brought."""
    if as_json:
        print(to_json(vars(result)))  # noqa: T201
        return
    for problem in result.problems:
        say(f"warning: {printable(problem)}", err=True)
    for title in result.gone:
        say(f"warning: project {title!r} is not on the server any more", err=True)
    for title in result.taken:
        say(
            f"warning: another project is where {title!r} was: is this another server? Nothing of "
            "it was read",
            err=True,
        )
    if result.foreign:
        say(f"warning: {result.foreign:,} tasks there are not ours; left alone", err=True)
    parts = [f"{number:,} {kind}" for kind, number in sorted(result.decisions.items())]
    if result.withdrawn:
        parts.append(f"{result.withdrawn:,} withdrawn")
    if result.removed:
        parts.append(f"{result.removed:,} needless tasks removed")
    if result.skipped:
        parts.append(f"{result.skipped:,} skipped")
    say(", ".join(parts) or "nothing new")
