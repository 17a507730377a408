"""How well a fitted score finds bad masks, in numbers and in two diagrams."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.doubt.measures import acceptable, auroc, lift
from pipelines.doubt.scoring import KnownScore, ScoresError

_ERRORS: Final = (0.01, 0.02, 0.05)


def summary(score: KnownScore) -> dict[str, Any]:
    """What it was fitted on, and what cross-validation found; None for the default's."""
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


def write_diagrams(score: KnownScore, folder: Path) -> None:
    """Write both diagrams of the cross-validated score.

    Raises:
        ScoresError: it is the default score, or the folder cannot be written to.
    """
    if not score.review_ids:
        raise ScoresError("there is nothing to draw: fit a score first (`dataengine scores fit`)")
    # Loading matplotlib takes a while.
    from pipelines.doubt.plots import precision_recall, reliability

    bad, doubt = np.array(score.evidence.bad), np.array(score.evidence.out_of_fold)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reliability(folder / "reliability.png", bad, {f"score {score.id}": doubt})
        precision_recall(folder / "precision-recall.png", bad, {f"score {score.id}": doubt})
    except OSError as error:
        raise ScoresError(f"{folder}: cannot be written to ({error.strerror})") from error
