"""`predict` on a console."""

import typer

from dataengine.console.shared.text import print_json, printable
from pipelines.networks.predicting import Predicted


def print_predicted(done: Predicted, *, as_json: bool) -> None:
    """How many files were predicted, and why others were not."""
    for failure in done.failed:
        typer.echo(f"failed: {printable(failure.reason)}", err=True)
    if done.warning:
        typer.echo(f"warning: {done.warning}", err=True)
    if as_json:
        failed = [{"path": str(each.path), "reason": each.reason} for each in done.failed]
        print_json({"out": str(done.out), "predicted": done.predicted, "failed": failed})
    else:
        typer.echo(f"{done.predicted:,} files predicted in {done.out}, {len(done.failed):,} failed")
