"""The combined score in a workspace: fitted on what people decided, applied to every mask."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Mask, MaskDoubt, ScoreModelRow, insert_new, reader
from pipelines.doubt.decided import PROPOSED, Decided, decided_masks
from pipelines.doubt.default import DEFAULT
from pipelines.doubt.fitting import FOLDS, LEAST_OF_EACH
from pipelines.doubt.model import ScoreModel, read_model
from pipelines.doubt.stored_signals import stored_signals
from pipelines.doubt.tiers import fit_tiers
from pipelines.portraits.latest import latest_masks
from pipelines.work.hands import HERE, Hands
from pipelines.workspace.defaults import BAD_BELOW
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace


class ScoresError(PipelineError):
    """There is no score to fit or to show; the message says what is missing."""


@dataclass(frozen=True)
class Evidence:
    """What cross-validation found, mask by mask in one order.

    Attributes:
        mask_ids: the masks it was fitted on.
        bad: what people found.
        at_random: chance chose the mask.
        out_of_fold: probability by models that were fitted without the mask's group.
        log_loss: of each kind that was tried, before calibration.
        calibrated_on: randomly drawn masks behind the calibration; 0: too few.
        richer: by what a richer model sees beside one pass, masks that it was fitted on.
    """

    mask_ids: list[int]
    bad: list[bool]
    at_random: list[bool]
    out_of_fold: list[float]
    log_loss: dict[str, float]
    calibrated_on: int
    richer: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownScore:
    """A score model of this workspace.

    Attributes:
        id: of its row.
        kind: `default`, `logistic`, `boosting` or `both`.
        model: to apply.
        bad_below: IoU under which a fixed mask counted as bad.
        review_ids: the decisions it was fitted on; none for the default.
        evidence: what cross-validation found; empty lists for the default.
        created_at: when it was fitted, or first used.
    """

    id: int
    kind: str
    model: ScoreModel
    bad_below: float
    review_ids: list[int]
    evidence: Evidence
    created_at: datetime


def fit_combined_score(
    workspace: Workspace, bad_below: float, seed: int = 0, hands: Hands = HERE
) -> KnownScore:
    """Fit the combined score on all decisions so far, and score every network's latest mask.

    Args:
        workspace: opened.
        bad_below: IoU under which a fixed mask counts as bad, in (0, 1].
        seed: of the folds.
        hands: whose workers compute signals that are not known.

    Raises:
        ScoresError: people have not found enough masks good and bad.
        WorkspaceError: a blob is missing or damaged.
    """
    with reader(workspace.engine).begin() as connection:
        decided = decided_masks(connection, workspace.store, bad_below)
        latest = _scorable(connection)
    number_bad = sum(each.bad for each in decided)
    if min(number_bad, len(decided) - number_bad) < LEAST_OF_EACH:
        raise ScoresError(
            f"people found {number_bad} masks bad and {len(decided) - number_bad} good, and a fit "
            f"takes {LEAST_OF_EACH} of each: review more (`dataengine review push`); until then "
            "the default score holds"
        )
    groups = len({each.group for each in decided})
    if groups < FOLDS:
        raise ScoresError(
            f"all these masks come from {groups} photos, near-duplicates counted once, and "
            f"cross-validation takes {FOLDS}: review more"
        )
    signals = stored_signals(workspace, [*latest, *(each.mask_id for each in decided)], hands)
    decided = [each for each in decided if each.mask_id in signals]
    bad = np.array([each.bad for each in decided])
    at_random = np.array([each.at_random for each in decided])
    tiered = fit_tiers(
        [signals[each.mask_id] for each in decided],
        bad,
        groups=np.array([each.group for each in decided]),
        at_random=at_random,
        seed=seed,
    )
    fitted = tiered.fitted
    evidence = Evidence(
        [each.mask_id for each in decided],
        bad.tolist(),
        at_random.tolist(),
        fitted.out_of_fold.tolist(),
        fitted.log_loss,
        fitted.calibrated_on,
        tiered.masks,
    )
    row = {
        "kind": fitted.kind,
        "parameters": fitted.model.to_json(),
        "bad_below": bad_below,
        "seed": seed,
        "review_ids": _reviews(decided),
        "evidence": asdict(evidence),
    }
    with workspace.engine.begin() as connection:
        connection.execute(sa.insert(ScoreModelRow).values(row))
    score_masks(workspace)
    return require_score(workspace)


def current_score(connection: Connection) -> KnownScore | None:
    """The latest score model; None before the first use."""
    query = sa.select(ScoreModelRow.__table__).order_by(ScoreModelRow.id.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else _known(row._mapping)


def require_score(workspace: Workspace) -> KnownScore:
    """The latest score model; where there is none, the default one.

    It is written down, unless the workspace was opened to read; then its id is 0.
    """
    with reader(workspace.engine).begin() as connection:
        known = current_score(connection)
    if known is not None:
        return known
    row = {
        "kind": "default",
        "parameters": DEFAULT.to_json(),
        "bad_below": BAD_BELOW,
        "seed": 0,
        "review_ids": [],
        "evidence": asdict(Evidence([], [], [], [], {}, 0)),
    }
    if workspace.read_only:
        return _known({**row, "id": 0, "created_at": datetime.now(UTC)})
    with workspace.engine.begin() as connection:
        if current_score(connection) is None:  # nobody else was quicker
            connection.execute(sa.insert(ScoreModelRow).values(row))
    return require_score(workspace)


def score_masks(workspace: Workspace) -> int:
    """Give every network's latest mask its doubt by the current score; those that have it keep it.

    Returns:
        How many were scored now.

    Raises:
        WorkspaceError: a blob is missing or damaged.
    """
    score = require_score(workspace)
    with reader(workspace.engine).begin() as connection:
        known = doubts(connection, score.id)
        left = [mask_id for mask_id in _scorable(connection) if mask_id not in known]
    signals = stored_signals(workspace, left)
    left = [mask_id for mask_id in left if mask_id in signals]
    found = score.model.doubt([signals[mask_id] for mask_id in left])
    rows = [
        {"score_model_id": score.id, "mask_id": mask_id, "doubt": float(doubt)}
        for mask_id, doubt in zip(left, found, strict=True)
        if np.isfinite(doubt)
    ]
    if rows:
        with workspace.engine.begin() as connection:
            insert_new(connection, MaskDoubt, rows)
    return len(rows)


def doubts(connection: Connection, score_id: int | None = None) -> dict[int, float]:
    """Doubt by mask, by a score model or else by the latest; empty before the first use."""
    if score_id is None:
        score_id = connection.scalar(sa.select(sa.func.max(ScoreModelRow.id)))
    query = sa.select(MaskDoubt.mask_id, MaskDoubt.doubt).where(
        MaskDoubt.score_model_id == score_id
    )
    return {row.mask_id: row.doubt for row in connection.execute(query)}


def _scorable(connection: Connection) -> list[int]:
    query = sa.select(Mask.id).where(
        latest_masks(), Mask.source.in_(PROPOSED), Mask.probability_blob.is_not(None)
    )
    return list(connection.scalars(query.order_by(Mask.id)))


def _reviews(decided: Sequence[Decided]) -> list[int]:
    return sorted(review_id for each in decided for review_id in each.review_ids)


def _known(row: Mapping[Any, Any]) -> KnownScore:
    return KnownScore(
        id=row["id"],
        kind=row["kind"],
        model=read_model(row["parameters"]),
        bad_below=row["bad_below"],
        review_ids=row["review_ids"],
        evidence=Evidence(**row["evidence"]),
        created_at=row["created_at"],
    )
