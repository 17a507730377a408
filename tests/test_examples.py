"""The examples run: small versions of them on EG1800, with real networks."""

import json
import re
from pathlib import Path

import pytest

from examples import eg1800_certificate, eg1800_rounds
from sinet.networks import NETWORKS
from sinet.training import load_config

EXAMPLES = Path(eg1800_rounds.__file__).parent
RECIPES = sorted(
    path
    for path in EXAMPLES.rglob("*")
    if path.suffix in (".toml", ".json") and "epochs" in path.read_text()
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_one_that_train_takes(path: Path) -> None:
    assert load_config(path).model in NETWORKS


@pytest.mark.campaign
def test_three_rounds_run_through_and_learn(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in eg1800_rounds.SMALL.settings:
        monkeypatch.setenv(name, "")  # the example sets it; it is gone after the test
    results = eg1800_rounds.run(shared, tmp_path, eg1800_rounds.SMALL)
    teacher, *students = results
    assert teacher["iou"] > 0.9
    assert [each["name"] for each in students] == ["round 1", "round 2", "round 3"]
    learnt_from = [each["images"]["train"] for each in students]
    assert learnt_from == sorted(set(learnt_from)), "every round learns from more"
    assert all(each["decisions"]["rejected"] < each["decisions"]["accepted"] for each in students)
    rounds = json.loads(eg1800_rounds.dataengine(tmp_path / "workspace", "rounds", "--json"))
    for line in rounds:
        # The first rival is an untrained network; nobody was promoted on so few images.
        assert line["gate"]["against"] == "an untrained network"
        assert line["gate"]["differences"]["native_iou"]["low"] > 0
        assert "independent test images, 100 are needed" in line["gate"]["message"]
    assert students[-1]["iou"] > 0.5
    assert "| round 3 |" in (tmp_path / "rounds.md").read_text()
    assert (tmp_path / "rounds.png").stat().st_size > 10_000
    # Run again, it has nothing to do.
    assert eg1800_rounds.run(shared, tmp_path, eg1800_rounds.SMALL) == results
    eg1800_rounds.dataengine(tmp_path / "workspace", "verify")


def test_a_certificate_and_what_it_was_worth(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is drawn depends on the order in which portraits came: of one worker always the same.
    monkeypatch.setenv("DATAENGINE_ENGINE__WORKERS", "1")
    # Lenient: whether a stricter audit passes is for chance to say.
    terms = ("--max-error", "0.4", "--confidence", "0.9", "--seed", "1")
    # A stricter reviewer: of so few photos too few are really bad to learn from.
    text = eg1800_certificate.run(shared, tmp_path, 130, 90, terms, bad_below=0.93)
    assert re.search(r"\nscore \d+ \(\w+\), fitted .* masks", text)
    assert "bad most surely: " in text
    # As many times as the audit takes.
    drawn, *_, judged = text.split("$ dataengine certify")[1:]
    assert "nothing is accepted: " in drawn
    certified = re.search(r"certified: .*; (\d+) masks accepted", judged)
    accepted = re.search(r"By the hand masks, (\d+) of the (\d+) accepted", text)
    assert certified is not None
    assert accepted is not None
    assert int(accepted[2]) == int(certified[1]) > 0
    assert int(accepted[1]) <= 0.4 * int(accepted[2]), "the bound, and what reviewers overlook"
    assert " slices" in judged
