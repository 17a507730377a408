"""A score fitted anew, and what becomes of the certificates that stood on the one before."""

from dataclasses import dataclass

from pipelines.certify.certifying import void_changed
from pipelines.doubt.scoring import KnownScore, fit_combined_score
from pipelines.work.hands import check_hands, hands_on
from pipelines.workspace.defaults import BAD_BELOW
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What to fit.

    Attributes:
        bad_below: IoU under which a fixed mask was bad, in (0, 1].
        seed: of the cross-validation's folds.
        on: the cluster whose machines compute signals that are not known: ``ray``, or
            ``ray://HOST[:PORT]``; None: this machine.
    """

    bad_below: float = BAD_BELOW
    seed: int = 0
    on: str | None = None


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    Attributes:
        score: that holds now.
        voided: numbers of the attempts to certify that stood on the score before.
    """

    score: KnownScore
    voided: list[int]


def fit_scores(workspace: Workspace, request: FitRequest, progress: Progress = SILENT) -> Fitted:
    """Fit the combined score on all decisions so far, and score every network's latest mask.

    Args:
        workspace: opened.
        request: how.
        progress: told what is under way.

    Raises:
        ScoresError: people have not found enough masks good and bad.
        WorkspaceError: a blob is missing or damaged, or a cluster cannot reach the workspace.
        WorkerError: there is no cluster, or its workers cannot go on.
    """
    check_hands(workspace.settings, request.on)
    progress.begin("fitting", None, "scores")
    with hands_on(request.on) as hands:
        score = fit_combined_score(workspace, request.bad_below, request.seed, hands)
    return Fitted(score, void_changed(workspace))
