"""`relabel` on a console."""

import os
from collections import Counter
from statistics import median

import typer

from dataengine.console.shared.progress import shown
from dataengine.console.shared.text import print_json
from pipelines.networks import load_network
from pipelines.networks.current import require_student
from pipelines.rounds.relabel import Method, outdated, relabel
from pipelines.workspace.workspace import Workspace


def run_relabel(
    workspace: Workspace, round_number: int | None, method: str, device: str, *, as_json: bool
) -> None:
    """Relabel and say what changed."""
    chosen = require_student(workspace, round_number)
    student = load_network(chosen.network, device=device, threads=os.cpu_count() or 1)
    todo = outdated(workspace, student.name, Method(method))
    done = list(shown(relabel(workspace, student, todo), "relabelling", len(todo)))
    verdicts = Counter(each.verdict for each in done)
    change = median(each.change for each in done) if done else None
    if as_json:
        print_json(
            {
                "round": chosen.round,
                "student": student.name,
                "method": method,
                "portraits": len(done),
                "verdicts": verdicts,
                "median_change": change,
            }
        )
        return
    if not done:
        typer.echo(
            f"Nothing to relabel: every mask is accepted, drawn by a person, or made by the "
            f"student of round {chosen.round} already."
        )
        return
    counts = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(verdicts.items()))
    typer.echo(
        f"Gave {len(done):,} portraits a new mask ({method}, student of round {chosen.round}): "
        f"{counts}; the median mask changed by {change:.1%}"
    )
    typer.echo("Let people look: `dataengine review push`")
