"""The combined score in a workspace: what it learns from, and what it must not see."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import MaskSignals, Purpose, ReviewRequest
from pipelines.doubt import stored_signals as stored
from pipelines.doubt.decided import decided_masks
from pipelines.doubt.scoring import (
    ScoresError,
    doubts,
    fit_combined_score,
    require_score,
    score_masks,
)
from pipelines.portraits.proposals import proposals
from pipelines.review.choosing import Order, ranking
from pipelines.workspace.workspace import Workspace
from tests.pipelines.review.conftest import ALL, reviews
from tests.pipelines.reviewed_workspaces import NUMBER, Prepared, is_bad, opened_copy


def test_before_reviews_the_default_holds_and_ranks(workspace: Workspace) -> None:
    with pytest.raises(ScoresError, match="0 masks bad and 0 good, and a fit takes 10 of each"):
        fit_combined_score(workspace, 0.9)
    assert require_score(workspace).kind == "default"
    assert require_score(workspace).id == require_score(workspace).id
    assert score_masks(workspace) == NUMBER
    assert score_masks(workspace) == 0
    with workspace.engine.begin() as connection:
        found = proposals(connection, ALL)
        rank = ranking(Order.DOUBTFUL, connection, workspace.store, found)
    assert rank is not None
    first = sorted(found, key=rank)[: NUMBER // 3 - 1]  # the first three have the real network's
    ids = sorted(each.portrait_id for each in found)
    assert sum(is_bad(ids.index(each.portrait_id)) for each in first) >= len(first) - 2


@pytest.fixture
def decided(reviewed: Prepared, tmp_path: Path) -> Iterator[Workspace]:
    """All 60 masks decided about."""
    workspace, _ = opened_copy(reviewed, tmp_path)
    yield workspace
    workspace.close()


def test_a_fit_knows_its_decisions_and_finds_what_is_bad(decided: Workspace) -> None:
    workspace = decided
    score = fit_combined_score(workspace, 0.9)
    assert score.kind in ("logistic", "boosting", "both")
    assert score.review_ids == sorted(row.id for row in reviews(workspace))
    assert sum(score.evidence.bad) == NUMBER // 3
    assert all(score.evidence.at_random)
    assert score.evidence.calibrated_on == NUMBER
    with workspace.engine.begin() as connection:
        found = doubts(connection)
    ids = sorted(found)
    good = [found[mask_id] for index, mask_id in enumerate(ids) if not is_bad(index)]
    bad = [found[mask_id] for index, mask_id in enumerate(ids) if is_bad(index)]
    assert sorted(bad)[2] > sorted(good)[-3]
    again = fit_combined_score(workspace, 0.9)
    assert (again.model, again.id) == (score.model, score.id + 1)


@pytest.mark.parametrize("purpose", [Purpose.HONEYPOT, Purpose.REPEAT, Purpose.AUDIT])
def test_what_measures_does_not_teach(decided: Workspace, purpose: Purpose) -> None:
    workspace = decided
    with workspace.engine.begin() as connection:
        assert len(decided_masks(connection, workspace.store, 0.9)) == NUMBER
        connection.execute(sa.update(ReviewRequest).values(purpose=purpose))
        assert decided_masks(connection, workspace.store, 0.9) == []
        assert len(decided_masks(connection, workspace.store, 0.9, purpose)) == NUMBER
    with pytest.raises(ScoresError):
        fit_combined_score(workspace, 0.9)


def test_withdrawn_decisions_do_not_count(decided: Workspace) -> None:
    workspace = decided
    with workspace.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE review SET withdrawn_at = '2026-01-01' WHERE id <= 20")
        assert len(decided_masks(connection, workspace.store, 0.9)) == NUMBER - 20


def test_signals_are_computed_once_and_anew_when_their_meaning_changes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stored.stored_signals(workspace, range(1, 6))
    assert len(first) == 5

    def fail(_: object) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(stored, "signals", fail)
        assert stored.stored_signals(workspace, range(1, 6)) == first
    with monkeypatch.context() as patch:
        patch.setattr(stored, "VERSION", stored.VERSION + 1)
        patch.setattr(stored, "signals", lambda _: {"area": 0.5})
        assert stored.stored_signals(workspace, [1]) == {1: {"area": 0.5}}
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(MaskSignals.mask_id, MaskSignals.version)).all()
    assert len(rows) == 5
    assert dict(rows.copy())[1] == stored.VERSION + 1
