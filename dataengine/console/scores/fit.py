"""`scores fit` on a console."""

import typer

from dataengine.console.scores.show import print_score
from pipelines.certify.certifying import void_changed
from pipelines.doubt.scoring import fit_scores
from pipelines.workspace.workspace import Workspace


def run_fit(workspace: Workspace, bad_below: float, seed: int, *, as_json: bool) -> None:
    """Fit, void the certificates that stood on the score before, and say what came of it."""
    score = fit_scores(workspace, bad_below, seed)
    for number in void_changed(workspace):
        typer.echo(f"attempt {number} to certify is void: its score was replaced", err=True)
    print_score(score, as_json=as_json)
