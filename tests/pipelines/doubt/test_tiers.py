"""Masks that were looked at twice are judged by a richer model, the others by the basic one."""

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from db import Mask
from pipelines.doubt.measures import auroc
from pipelines.doubt.model import read_model
from pipelines.doubt.scoring import doubts, fit_combined_score, score_masks
from pipelines.doubt.tiers import Tiered, fit_tiers
from tests.pipelines.reviewed_workspaces import NUMBER, Prepared, opened_copy


def data(number: int, *, views: int, students: int) -> tuple[list[dict[str, float]], np.ndarray]:
    """One pass says little of what is bad, views more, a student nearly all."""
    chance = np.random.default_rng(0)
    bad = chance.random(number) < 0.25
    signals = []
    for index in range(number):
        each = {"a": bad[index] + chance.normal(0, 1.2), "b": chance.normal()}
        if index < views:
            each["view_flip"] = bad[index] + chance.normal(0, 0.6)
        if index >= number - students:
            each["student_disagreement"] = bad[index] + chance.normal(0, 0.2)
        signals.append(each)
    return signals, bad


def tiered(signals: list[dict[str, float]], bad: np.ndarray, drawn: float = 1) -> Tiered:
    at_random = np.arange(len(bad)) < drawn * len(bad)
    return fit_tiers(signals, bad, groups=np.arange(len(bad)), at_random=at_random)


def test_each_mask_by_the_richest_model_it_allows() -> None:
    signals, bad = data(400, views=200, students=150)
    found = tiered(signals, bad)
    assert found.masks == {"views": 200, "student": 150}
    model = found.fitted.model
    assert model.columns == ["a", "b"]
    assert [each.columns[2:] for each in model.richer] == [["student_disagreement"], ["view_flip"]]
    odds = found.fitted.out_of_fold
    seen = [auroc(bad[part], odds[part]) for part in (slice(200, 250), slice(200), slice(250, 400))]
    assert seen[0] < seen[1] < seen[2]
    assert seen[2] > 0.98
    assert odds.mean() == pytest.approx(bad.mean(), abs=0.03), "probabilities all the same"
    # No mask is left out, and text and back changes nothing.
    doubt = model.doubt(signals)
    assert np.isfinite(doubt).all()
    assert np.array_equal(read_model(model.to_json()).doubt(signals), doubt)
    assert np.isnan(model.doubt([{"a": 1.0, "student_disagreement": 0.1}])).all()


def test_both_beat_one() -> None:
    signals, bad = data(300, views=300, students=200)
    found = tiered(signals, bad)
    assert found.masks == {"views": 300, "student": 200, "views and student": 200}
    assert found.fitted.model.richer[0].columns[2:] == ["view_flip", "student_disagreement"]


def test_few_masks_make_no_richer_model() -> None:
    signals, bad = data(200, views=20, students=0)
    assert tiered(signals, bad).masks == {}


def test_what_cannot_be_calibrated_does_not_mix_with_what_is() -> None:
    signals, bad = data(400, views=0, students=120)
    # Chance chose among the first masks alone: none that a student has seen.
    assert tiered(signals, bad, drawn=0.6).masks == {}
    assert tiered(signals, bad, drawn=1).masks == {"student": 120}
    assert tiered(signals, bad, drawn=0).masks == {"student": 120}, "nothing is calibrated"


def test_in_a_workspace_nothing_is_without_a_doubt(reviewed: Prepared, tmp_path: Path) -> None:
    workspace, _ = opened_copy(reviewed, tmp_path)
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(Mask.id, Mask.scores).order_by(Mask.id)).all()
        for row in rows[: 2 * NUMBER // 3]:
            scores = {**row.scores, "view_flip": 0.9 + row.id / 1000}
            connection.execute(sa.update(Mask).where(Mask.id == row.id).values(scores=scores))
    score = fit_combined_score(workspace, 0.9)
    assert score.evidence.richer == {"views": 2 * NUMBER // 3}
    assert score_masks(workspace) == 0, "all are scored"
    with workspace.engine.begin() as connection:
        known = doubts(connection, score.id)
    assert set(known) == {row.id for row in rows}
    workspace.close()
