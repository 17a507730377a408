"""`relabel` on a console."""

import typer

from dataengine.console.shared.text import print_json
from pipelines.rounds.relabel import RelabelResult


def print_relabelled(done: RelabelResult, *, as_json: bool) -> None:
    """What changed."""
    whose = done.student if done.round is None else f"the student of round {done.round}"
    if as_json:
        print_json(
            {
                "round": done.round,
                "student": done.student,
                "method": done.method,
                "portraits": len(done.relabelled),
                "verdicts": done.verdicts,
                "median_change": done.median_change,
            }
        )
    elif done.median_change is None:
        typer.echo(
            "Nothing to relabel: every mask is accepted, drawn by a person, or made by "
            f"{whose} already."
        )
    else:
        verdicts = sorted(done.verdicts.items())
        counts = ", ".join(f"{number:,} {verdict}" for verdict, number in verdicts)
        typer.echo(
            f"Gave {len(done.relabelled):,} portraits a new mask ({done.method}, {whose}): "
            f"{counts}; the median mask changed by {done.median_change:.1%}"
        )
        typer.echo("Let people look: `dataengine review push`")
