"""The examples run: a small version of the three rounds on EG1800, with real networks."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import CHECKOUT


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "eg1800_rounds", CHECKOUT / "examples/eg1800_rounds.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_three_rounds_run_through_and_learn(
    example: ModuleType, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in example.SMALL.settings:
        monkeypatch.setenv(name, "")  # the example sets it; it is gone after the test
    results = example.run(shared, tmp_path, example.SMALL)
    teacher, *students = results
    assert teacher["iou"] > 0.9
    assert [each["name"] for each in students] == ["round 1", "round 2", "round 3"]
    learnt_from = [each["images"]["train"] for each in students]
    assert learnt_from == sorted(set(learnt_from)), "every round learns from more"
    assert all(each["decisions"]["rejected"] < each["decisions"]["accepted"] for each in students)
    rounds = json.loads(example.dataengine(tmp_path / "workspace", "rounds", "--json"))
    for line in rounds:
        # The first rival is an untrained network; nobody was promoted on so few images.
        assert line["gate"]["against"] == "an untrained network"
        assert line["gate"]["differences"]["iou"]["low"] > 0
        assert "independent test images, 100 are needed" in line["gate"]["reason"]
    assert students[-1]["iou"] > 0.5
    assert "| round 3 |" in (tmp_path / "rounds.md").read_text()
    assert (tmp_path / "rounds.png").stat().st_size > 10_000
    # Run again, it has nothing to do.
    assert example.run(shared, tmp_path, example.SMALL) == results
    example.dataengine(tmp_path / "workspace", "verify")
