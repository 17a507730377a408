"""`scores` on the command line."""

import json
from pathlib import Path

import pytest

from pipelines.workspace.workspace import Workspace
from tests.dataengine.conftest import Run
from tests.pipelines.reviewed_workspaces import Prepared, many, opened_copy, reviewed, workspace

__all__ = ["many", "reviewed", "workspace"]  # fixtures


def test_nothing_to_learn_from_is_one_line(run: Run, workspace: Workspace) -> None:
    root = workspace.paths.root
    answer = run("-w", root, "scores", "fit")
    assert answer.code == 1
    assert answer.err.startswith("error: people found 0 masks bad and 0 good")
    assert "default score" in run("-w", root, "scores", "show").out
    answer = run("-w", root, "scores", "show", "--out", root / "pictures")
    assert answer.err.startswith("error: there is nothing to draw")


def test_fit_and_show(run: Run, reviewed: Prepared, tmp_path: Path) -> None:
    opened, _ = opened_copy(reviewed, tmp_path)
    opened.close()
    root = opened.paths.root
    answer = run("-w", root, "scores", "fit")
    assert (answer.code, answer.err) == (0, "")
    assert "on 60 masks, 20 of them bad (rejected, or fixed with IoU below 0.9)" in answer.out
    assert "calibrated on 60 masks drawn at random" in answer.out
    shown = run("-w", root, "scores", "show", "--out", tmp_path / "q")
    assert shown.out == answer.out
    assert sorted(file.name for file in (tmp_path / "q").iterdir()) == [
        "precision-recall.png",
        "reliability.png",
    ]
    found = json.loads(run("-w", root, "scores", "show", "--json").out)
    assert found["reviews"] == found["masks"] == 60
    assert found["auroc"] == pytest.approx(1, abs=0.1)
    assert found["acceptable"]["0.05"] > 0.5


def test_slices_and_drift(run: Run, reviewed: Prepared, tmp_path: Path) -> None:
    opened, _ = opened_copy(reviewed, tmp_path)
    opened.close()
    root = opened.paths.root
    answer = run("-w", root, "scores", "slices")
    assert (answer.code, answer.err) == (0, "")
    assert "brightness" in answer.out
    assert "accepted least often: " in answer.out
    assert "bad most surely: " in answer.out
    lines = json.loads(run("-w", root, "scores", "slices", "--json").out)
    assert sum(line["portraits"] for line in lines if line["trait"] == "turn") == 60
    answer = run("-w", root, "scores", "drift")
    assert (answer.code, answer.err) == (0, "")
    assert "no round was frozen yet" in answer.out
    assert json.loads(run("-w", root, "scores", "drift", "--json").out) == []
