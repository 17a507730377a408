"""`review push` on a console."""

from dataengine.console.shared.text import print_json, say
from pipelines.review.push import PushResult


def print_push(result: PushResult, *, as_json: bool) -> None:
    """What was done, and where people answer."""
    if as_json:
        known = {"project": result.project.title, "seconds": round(result.seconds, 3)}
        print_json({**vars(result), **known})
    else:
        _print_lines(result)
        say(result.url)


def _print_lines(result: PushResult) -> None:
    if result.resumed:
        say(f"Went on with {result.resumed:,} questions of an interrupted push")
    if result.withdrawn:
        say(f"{result.withdrawn:,} tasks withdrawn: newer masks came, or an audit is settled")
    if result.lost:
        say(f"{result.lost:,} tasks were deleted on the server and are there again")
    if result.found:
        say(f"{result.found:,} tasks were on the server already")
    rate = result.sent / max(result.seconds, 1e-3)
    say(
        f"{result.sent:,} tasks sent to {result.project.title!r} in {result.seconds:.1f} s "
        f"({rate:.0f} a second); {result.left:,} masks are left to ask about"
    )
