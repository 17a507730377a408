"""`scores show` on a console."""

from pathlib import Path
from typing import Any

import numpy as np
import typer

from dataengine.console.shared.text import print_json
from pipelines.doubt.measures import acceptable, auroc, lift
from pipelines.doubt.plots import precision_recall, reliability
from pipelines.doubt.scoring import KnownScore, ScoresError

_ERRORS = (0.01, 0.02, 0.05)


def print_score(score: KnownScore, *, as_json: bool) -> None:
    """Which score holds, what it was fitted on, and how well it finds bad masks."""
    found = _summary(score)
    if as_json:
        print_json(found)
        return
    if not score.review_ids:
        typer.echo(
            "the default score: nothing was fitted yet (`dataengine scores fit` once people have "
            "decided)"
        )
        return
    typer.echo(
        f"score {score.id} ({score.kind}), fitted {score.created_at:%Y-%m-%d %H:%M} on "
        f"{found['masks']:,} masks, {found['bad']:,} of them bad "
        f"(rejected, or fixed with IoU below {score.bad_below:g})"
    )
    for kind, number in score.evidence.richer.items():
        typer.echo(f"{number:,} of them were judged with {kind}, too, and so are others like them")
    if score.evidence.calibrated_on:
        typer.echo(f"calibrated on {score.evidence.calibrated_on:,} masks drawn at random")
    else:
        typer.echo(
            "not calibrated: too few of the masks drawn at random are bad, or good; the order of "
            "masks is right, the probabilities may not be"
        )
    typer.echo(f"by cross-validation: AUROC {found['auroc']:.3f}")
    typer.echo(f"  the first masks it asks about are bad {found['lift']:.1f} × as often as any")
    for error, share in found["acceptable"].items():
        typer.echo(f"  {share:.0%} of these masks can be accepted with {float(error):.0%} bad")


def write_pictures(score: KnownScore, folder: Path) -> None:
    """Write both diagrams of the cross-validated score.

    Raises:
        ScoresError: it is the default score, or the folder cannot be written to.
    """
    if not score.review_ids:
        raise ScoresError("there is nothing to draw: fit a score first (`dataengine scores fit`)")
    bad, doubt = np.array(score.evidence.bad), np.array(score.evidence.out_of_fold)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reliability(folder / "reliability.png", bad, {f"score {score.id}": doubt})
        precision_recall(folder / "precision-recall.png", bad, {f"score {score.id}": doubt})
    except OSError as error:
        raise ScoresError(f"{folder}: cannot be written to ({error.strerror})") from error


def _summary(score: KnownScore) -> dict[str, Any]:
    bad, doubt = np.array(score.evidence.bad, bool), np.array(score.evidence.out_of_fold)
    measured = len(bad) > 0
    return {
        "id": score.id,
        "kind": score.kind,
        "created_at": score.created_at.isoformat(),
        "bad_below": score.bad_below,
        "signals": score.model.columns,
        "reviews": len(score.review_ids),
        "masks": len(bad),
        "bad": int(bad.sum()),
        "richer": score.evidence.richer,
        "calibrated_on": score.evidence.calibrated_on,
        "log_loss": score.evidence.log_loss,
        "auroc": auroc(bad, doubt) if measured else None,
        "lift": lift(bad, doubt) if measured else None,
        "acceptable": {
            str(error): acceptable(bad, doubt, error) if measured else None for error in _ERRORS
        },
    }
