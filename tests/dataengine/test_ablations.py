"""`dataengine bench ablations`."""

import csv
import io
import json
import subprocess
import time
from pathlib import Path

import pytest

import pipelines
from pipelines.rounds import ablations
from pipelines.rounds.ablation_table import markdown
from sinet.benchmark import Trial
from sinet.checkpoint import load_checkpoint
from sinet.evaluate import Evaluation, Scores
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import PROGRAM, assert_one_line_error
from tests.dataengine.training_data import make_data
from tests.sinet.many_classes import make_classes

QUICK = ["--epochs", "1", "--side", "32", "--device", "cpu"]
ROWS = ["--rows", "sinet-downsampling-s2,sinet-lambda-0"]


def test_killed_it_goes_on_and_ends_as_if_undisturbed(run: Run, tmp_path: Path) -> None:
    data = make_data(tmp_path / "data")
    line = ["bench", "ablations", *ROWS, "--data", str(data), *QUICK, "--runs", "0"]
    whole = run(*line, "--out", "whole", "--json")
    assert whole.code == 0, whole.err
    process = subprocess.Popen([*PROGRAM, *line, "--out", "killed"], stderr=subprocess.DEVNULL)
    first = Path("killed/runs/sinet/seed-0/scores.json")
    deadline = time.monotonic() + 120
    while not first.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    assert process.wait() == -9
    kept = first.stat().st_mtime_ns
    again = run(*line, "--out", "killed", "--json")
    assert first.stat().st_mtime_ns == kept
    found, expected = (json.loads(each.out) for each in (again, whole))
    assert found["rows"] == expected["rows"]
    assert [row["name"] for row in found["rows"]] == [
        "sinet",
        "sinet-downsampling-s2",
        "sinet-lambda-0",
    ]
    # A checkpoint knows its options.
    kept_weights = Path("killed/runs/sinet-downsampling-s2/seed-0/last.safetensors")
    assert load_checkpoint(kept_weights).network.options["downsampling"] == "s2"
    assert run("evaluate", kept_weights, "--data", data).code == 0


def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainings answer at once: the seed, the loss and the options decide the score."""
    asked: list[str] = []

    def answer(trial: Trial, *_others: object) -> Evaluation:
        trial.out.mkdir(parents=True)
        asked.append(f"{trial.out.parent.name}/{trial.out.name}")
        worse = 0.1 * bool(trial.options) + 0.01 * (trial.seed or 0)
        images = {
            name: Scores(*[0.9 - worse + 0.02 * number] * 5) for number, name in enumerate("abc")
        }
        return Evaluation(images["b"], images)

    monkeypatch.setattr(ablations, "measure_scores", answer)
    return asked


def test_seeds_are_means_and_differences_are_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scored(monkeypatch)
    request = pipelines.AblationRequest(
        rows=["cgnet-relu"], data=tmp_path, seeds=2, runs=0, out=tmp_path / "out"
    )
    first, relu = pipelines.bench_ablations(request).rows
    assert asked == ["cgnet/seed-0", "cgnet-relu/seed-0", "cgnet/seed-1", "cgnet-relu/seed-1"]
    assert [each.native_iou for each in first.seeds] == pytest.approx([0.92, 0.91])
    assert first.native_iou_difference is None
    # Every image is 0.1 worse, and so there is no doubt.
    assert relu.native_iou_difference == pytest.approx((-0.1, -0.1, -0.1))
    assert relu.seed_differences == pytest.approx([-0.1, -0.1])
    table = markdown([first, relu])
    assert "| 0.9150 (0.9100 to 0.9200) |" in table
    assert "| -10.00 (-10.00 to -10.00); by seed -10.00, -10.00 |" in table
    assert pipelines.bench_ablations(request).rows[1] == relu
    assert len(asked) == 4


def test_what_was_not_run_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scored(monkeypatch)
    options = ["--network", "sanet", "--data", tmp_path, "--runs", "0", "--device", "cpu"]
    answer = run("bench", "ablations", *options, "--side", "224", "--csv")
    assert answer.code == 0, answer.err
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert {row["not_trained"] for row in rows} == {"more than 2 G MACs: trained on a GPU only"}
    assert {row["native_iou"] for row in rows} == {""}
    options = ["--rows", "liteseg-aspp", "--data", tmp_path, "--runs", "0", "--report"]
    answer = run("bench", "ablations", *options)
    assert answer.out.count("| not run yet |") == 2
    assert asked == []
    assert_one_line_error(run("bench", "ablations", "--report"), "name their data set with --data")


def test_runs_of_another_kind_are_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(monkeypatch)
    line = ["bench", "ablations", "--rows", "sinet-pools-1", "--data", tmp_path, "--runs", "0"]
    assert run(*line).code == 0
    assert_one_line_error(run(*line, "--epochs", "3"), "another configuration: epochs")
    Path("ablations/runs/sinet/seed-0/scores.json").write_text("{}")
    assert_one_line_error(run(*line), "scores.json: damaged; remove the folder")
    assert_one_line_error(run(*line, "--side", "100"), "multiple of 32")
    assert_one_line_error(run(*line, "--network", "enett"), "no table of `enett`")


def test_what_cannot_be_scored_is_not_trained_on(run: Run, tmp_path: Path) -> None:
    line = ["bench", "ablations", *ROWS, *QUICK, "--runs", "0", "--out", "out", "--data"]
    many = run(*line, make_classes(tmp_path / "many"))
    assert_one_line_error(many, "many: of many classes; networks are compared on portraits")
    data = make_data(tmp_path / "data")
    (data / "val.txt").unlink()
    assert_one_line_error(run(*line, data), "neither val.txt nor a folder val")
    assert not list(Path("out").rglob("*.safetensors"))
