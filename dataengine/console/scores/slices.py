"""`scores slices` on a console."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import print_json, say
from pipelines.doubt.slices import SliceLine, least_accepted, most_bad, rate_of_worst
from pipelines.pictures.traits import TITLES, described, interval


def print_slices(lines: Sequence[SliceLine], *, as_json: bool) -> None:
    """How portraits stand by what they are like."""
    if as_json:
        print_json(lines)
        return
    if not lines:
        say("there are no portraits yet; bring photos with `dataengine ingest`")
        return
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("")
    for heading in ("from … to", "portraits", "decided", "accepted"):
        table.add_column(heading, justify="right")
    table.add_column("bad, drawn by chance")
    last = None
    for line in lines:
        title = "" if line.trait == last else TITLES[line.trait][0]
        accepted = f"{line.accepted / line.decided:.0%}" if line.decided else "–"
        shares = (f"{line.decided / line.portraits:.0%}", accepted)
        within = interval(line.trait, line.low, line.high)
        table.add_row(title, within, f"{line.portraits:,}", *shares, str(line.bad_rate))
        last = line.trait
    Console().print(table)
    least, worst = least_accepted(lines), most_bad(lines)
    if least is not None:
        share = f"{least.accepted / least.decided:.0%} of those decided"
        say(f"accepted least often: {_name(least)}, {share}")
    if worst is not None:
        say(f"bad most surely: {_name(worst)}, {rate_of_worst(lines, worst)}")


def _name(line: SliceLine) -> str:
    return described(line.trait, line.low, line.high)
