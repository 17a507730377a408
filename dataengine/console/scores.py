"""`scores slices` and `scores drift` on a console."""

import typer
from rich.console import Console
from rich.table import Table

from dataengine.console.tables import number_of, print_json
from pipelines.doubt.drift import LEAST, RoundDrift, drift_between_rounds
from pipelines.doubt.slices import SliceLine, least_accepted, most_bad, slice_lines
from pipelines.doubt.traits import TITLES, described, interval
from pipelines.workspace.workspace import Workspace

_SHOWN = 5
"""Signals a line of `drift` names at most."""


def report_slices(workspace: Workspace, *, as_json: bool) -> None:
    """How portraits stand by what they are like."""
    lines = slice_lines(workspace)
    if as_json:
        print_json(lines)
        return
    if not lines:
        typer.echo("there are no portraits yet; bring photos with `dataengine ingest`")
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
        table.add_row(title, within, f"{line.portraits:,}", *shares, str(line.bad))
        last = line.trait
    Console().print(table)
    least, worst = least_accepted(lines), most_bad(lines)
    if least is not None:
        share = f"{least.accepted / least.decided:.0%} of those decided"
        typer.echo(f"accepted least often: {_name(least)}, {share}")
    if worst is not None:
        typer.echo(f"bad most surely: {_name(worst)}, {worst.bad}")


def report_drift(workspace: Workspace, *, as_json: bool) -> None:
    """Whether masks of each round look like those of the round before."""
    found = drift_between_rounds(workspace)
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("no round was frozen yet (`dataengine train --round 1`): nothing to compare")
    for each in found:
        _print_round(each)


def _print_round(found: RoundDrift) -> None:
    sides = f"{number_of(found.before, 'portrait')} before it, {found.after:,} after it"
    typer.echo(f"round {found.round}: {sides}")
    if not found.signals:
        typer.echo(f"  too few to compare: it takes {LEAST} on either side")
        return
    drifted = [each for each in found.signals if each.drifted]
    if not drifted:
        widest = found.signals[0]
        typer.echo(
            f"  no drift was found in {len(found.signals)} signals (largest distance "
            f"{widest.distance:.2f}, {widest.signal})"
        )
    else:
        typer.echo(
            f"  {len(drifted)} of {len(found.signals)} signals have drifted: review masks drawn "
            "at random, then `dataengine scores fit`"
        )
    for signal in drifted[:_SHOWN]:
        typer.echo(
            f"    {signal.signal}: median {signal.before:.3g} → {signal.after:.3g}, distance "
            f"{signal.distance:.2f} (p {signal.p_value:.1g})"
        )
    if len(drifted) > _SHOWN:
        typer.echo(f"    and {len(drifted) - _SHOWN} more (--json)")
    typer.echo(f"  with so many portraits, a distance below {found.visible:.2f} would not be seen")


def _name(line: SliceLine) -> str:
    return described(line.trait, line.low, line.high)
