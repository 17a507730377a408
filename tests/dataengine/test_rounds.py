"""`train --round`, `rounds`, `relabel`, `export`: the engine turns once."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataengine.cli import app
from pipelines.rounds import finishing, gate
from pipelines.rounds import learning as training
from sinet.checkpoint import load_checkpoint
from sinet.training import Run as Training
from tests.conftest import FAST_INGEST
from tests.dataengine.conftest import Answer, Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_config

COUNT = 30


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of portraits that came with masks: bright people before blotchy, blue walls."""
    root = tmp_path_factory.mktemp("imported")
    for folder in ("raw", "masks"):
        (root / folder).mkdir()
    rows, columns = np.mgrid[:200, :150]
    for number in range(COUNT):
        rng = np.random.default_rng(number)
        width, height = rng.integers(30, 45), rng.integers(68, 83)
        person = ((columns - rng.integers(68, 83)) / width) ** 2 + ((rows - 110) / height) ** 2 < 1
        # Blotches, or all would be near-duplicates of each other.
        blotches = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
        wall = np.asarray(Image.fromarray(blotches).resize((150, 200), Image.Resampling.BICUBIC))
        picture = np.where(person[..., None], [230, 160 + number, 30], wall // [4, 1, 1])
        Image.fromarray(picture.astype(np.uint8)).save(root / f"raw/{number:02}.png")
        Image.fromarray(person.astype(np.uint8) * 255).save(root / f"masks/{number:02}.png")
    arguments = ["-w", str(root / "workspace"), "ingest", str(root / "raw")]
    arguments += ["--masks", str(root / "masks")]
    environment = {
        **FAST_INGEST,
        "DATAENGINE_RELEASE__TEST_SHARE": "0.3",
        "DATAENGINE_RELEASE__VAL_SHARE": "0.1",
    }
    result = CliRunner().invoke(app, arguments, env=environment)
    assert result.exit_code == 0, result.output
    return root / "workspace"


@pytest.fixture
def workspace(imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(imported, tmp_path / "workspace")
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATAENGINE_RELEASE__TEST_SHARE", "0.3")
    monkeypatch.setenv("DATAENGINE_RELEASE__VAL_SHARE", "0.1")
    # A test of thirty portraits cannot have a hundred test images.
    monkeypatch.setattr(gate, "MIN_GROUPS", 5)
    return tmp_path / "workspace"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return make_config(tmp_path, epochs=30, learning_rate=5e-3, schedule="cosine")


def trained(run: Run, workspace: Path, *arguments: str | Path) -> Answer:
    answer = run("-w", workspace, "train", *arguments)
    assert answer.code == 0, answer.err
    return answer


def table(run: Run, workspace: Path) -> list[dict[str, Any]]:
    return list(json.loads(run("-w", workspace, "rounds", "--json").out))


def test_the_users_example(run: Run, workspace: Path, config: Path) -> None:
    """Round 3 with no round before it: frozen, trained, measured, promoted, recorded."""
    answer = trained(run, workspace, "--round", "3", "--config", config)
    assert "Froze the trusted portraits as round-3" in answer.err
    assert "promoted: better than an untrained network" in answer.out
    assert "--teacher sinet:current" in answer.out
    weights = workspace / "runs/round-3/last.safetensors"
    release = workspace / "releases/round-3"
    (line,) = table(run, workspace)
    assert line["round"] == 3
    assert line["is_current"]
    assert sum(line["splits"].values()) == COUNT
    assert line["metrics"]["images"] == line["splits"]["test"]
    assert line["metrics"]["iou"] > 0.5, "it learnt something"
    assert load_checkpoint(weights).training["samples"] == line["splits"]["train"]
    assert (release / "checksums.txt").is_file()
    per_image = json.loads((workspace / "runs/round-3/test.json").read_text())
    mean = np.mean([each["student"]["iou"] for each in per_image.values()])
    assert mean == pytest.approx(line["metrics"]["iou"])
    shown = run("-w", workspace, "rounds").out
    assert "round 3* sinet" in shown
    assert "* the current student" in shown


def test_the_same_command_does_nothing_twice(run: Run, workspace: Path, config: Path) -> None:
    first = trained(run, workspace, "--round", "1", "--config", config, "--json")
    again = trained(run, workspace, "--round", "1", "--config", config, "--json")
    assert "was trained with these options; nothing was done" in again.err
    assert json.loads(again.out) == json.loads(first.out)


def test_an_interrupted_round_goes_on_with_the_same_command(
    run: Run, workspace: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = trained(run, workspace, "--round", "1", "--config", config, "--json")

    def interrupted(whole: Training, *args: Any) -> Any:
        real(replace(whole, stop_after=5), *args)
        raise KeyboardInterrupt

    real = training.train_in_processes
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_in_processes", interrupted)
        answer = run("-w", workspace, "train", "--round", "2", "--config", config)
    assert answer.code == 130
    assert "5 epochs are kept; to go on: the same command" in answer.err
    line = table(run, workspace)[-1]
    assert (line["round"], line["metrics"], line["promoted"]) == (2, None, False)
    assert "not finished; the same `train` command goes on" in run("-w", workspace, "rounds").out
    resumed = trained(run, workspace, "--round", "2", "--config", config, "--json")
    assert json.loads(resumed.out)["metrics"] == json.loads(straight.out)["metrics"]


def test_a_student_that_is_not_better_is_recorded_but_not_current(
    run: Run, workspace: Path, tmp_path: Path, config: Path
) -> None:
    trained(run, workspace, "--round", "1", "--config", config)
    (tmp_path / "short").mkdir()
    short = make_config(tmp_path / "short", epochs=1)
    answer = trained(run, workspace, "--round", "2", "--config", short)
    assert "not promoted: may be worse than the student of round 1" in answer.out
    assert [line["is_current"] for line in table(run, workspace)] == [True, False]
    forced = trained(run, workspace, "--round", "2", "--config", short, "--force")
    assert "Promoted by hand" in forced.err
    lines = table(run, workspace)
    assert [line["is_current"] for line in lines] == [False, True]
    assert lines[1]["forced"]
    assert "promoted by hand: may be worse" in run("-w", workspace, "rounds").out


def test_of_two_rounds_at_once_the_later_must_beat_the_earlier(
    run: Run, workspace: Path, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Round 2 ends while round 1, measured against the same rival, is still being measured."""
    (tmp_path / "short").mkdir()
    short = make_config(tmp_path / "short", epochs=1)
    compare, compared = finishing.compare, []

    def overtaken(*arguments: Any, **options: Any) -> Any:
        compared.append(arguments[3])
        if len(compared) == 1:
            trained(run, workspace, "--round", "2", "--config", config)
        return compare(*arguments, **options)

    monkeypatch.setattr(finishing, "compare", overtaken)
    answer = trained(run, workspace, "--round", "1", "--config", short)
    assert compared == ["an untrained network", "an untrained network", "the student of round 2"]
    assert "not promoted: may be worse than the student of round 2" in answer.out
    assert [line["is_current"] for line in table(run, workspace)] == [False, True]


def test_the_current_student_does_not_depend_on_clocks(
    run: Run, workspace: Path, config: Path
) -> None:
    trained(run, workspace, "--round", "1", "--config", config)
    trained(run, workspace, "--round", "2", "--config", config, "--epochs", "1", "--force")
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database, database:
        database.execute(
            "UPDATE run SET promoted_at = '2099-01-01 00:00:00' WHERE folder = 'runs/round-1'"
        )
    assert [line["is_current"] for line in table(run, workspace)] == [False, True]


def test_other_options_train_another_student_on_the_same_data(
    run: Run, workspace: Path, tmp_path: Path, config: Path
) -> None:
    trained(run, workspace, "--round", "1", "--config", config)
    trained(run, workspace, "--round", "1", "--config", config, "--epochs", "1")
    folders = [line["folder"] for line in table(run, workspace)]
    assert folders == ["runs/round-1", "runs/round-1-2"]
    assert [path.name for path in (workspace / "releases").iterdir()] == ["round-1"]


def test_the_student_labels_and_judges_the_next_crawl(
    run: Run, workspace: Path, config: Path, ingested: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run("-w", workspace, "ingest", ingested.raw, "--teacher", "sinet:current")
    assert_one_line_error(refused, "there is no promoted student yet; `dataengine train --round 1`")
    trained(run, workspace, "--round", "1", "--config", config)
    answer = run("-w", workspace, "ingest", ingested.raw, "--second-opinion", "sinet:current")
    assert answer.code == 0, answer.err
    lines = json.loads(run("-w", workspace, "list", "--json").out)
    new = [line for line in lines if line["mask_source"] == "teacher"]
    assert len(new) == 3
    assert all(0 < line["scores"]["disagreement"] <= 1 for line in new)
    relabelled = run("-w", workspace, "relabel", "--json")
    assert json.loads(relabelled.out)["portraits"] == 3
    assert json.loads(relabelled.out)["round"] == 1
    again = run("-w", workspace, "relabel")
    assert "Nothing to relabel" in again.out
    other = run("-w", workspace, "relabel", "--network", "sinet:bundled")
    assert "Gave 3 portraits a new mask (mean, sinet:bundled@sha256:" in other.out, other.err
    both = run("-w", workspace, "relabel", "--network", "bundled", "--round", "1")
    assert (both.code, "give one of them" in both.err) == (2, True)


def test_every_command_takes_the_current_student(
    run: Run, workspace: Path, config: Path, tmp_path: Path
) -> None:
    trained(run, workspace, "--round", "1", "--config", config, "--epochs", "1")
    data = workspace / "releases/round-1"
    refused = run("-w", workspace, "evaluate", "sinet:current", "--data", data)
    assert_one_line_error(
        refused, r"round 1 was trained but not promoted \(not better .*--round 1 --force`, or name"
    )
    trained(run, workspace, "--round", "1", "--config", config, "--epochs", "1", "--force")
    small = ("--config", config, "--epochs", "1")
    trained(run, workspace, "--round", "2", "--init", "sinet:current", *small)
    trained(run, workspace, "--round", "2", "--teacher", "sinet:current", *small)
    started = load_checkpoint(workspace / "runs/round-2/last.safetensors").training["init"]
    assert started.startswith("last.safetensors@sha256:")
    for arguments in (
        ("train", "--data", data, "--out", "run", *small, "--init", "sinet:current",
         "--teacher", "sinet:current"),
        ("evaluate", "sinet:current", "--data", data, "--limit", "2", "--compare", "sinet:current"),
        ("predict", "sinet:current", data / "images", "--out", "masks"),
        ("convert", "sinet:current", "--out", "current.onnx", "--check", data / "images"),
    ):  # fmt: skip
        answer = run("-w", workspace, *arguments)
        assert answer.code == 0, answer.err


def test_export_writes_and_says_what(run: Run, workspace: Path) -> None:
    answer = run("-w", workspace, "export", "--out", "out")
    assert answer.code == 0, answer.err
    assert f"Wrote {COUNT} portraits to out: " in answer.out
    assert "out/card.md" in answer.out
    found = json.loads(run("-w", workspace, "export", "--out", "more", "--json").out)
    assert found["trust"] == {"imported": COUNT}
    assert_one_line_error(
        run("-w", workspace, "export", "--out", "out"), "never overwrites anything"
    )
    human = run("-w", workspace, "export", "--out", "human", "--min-source", "human")
    assert_one_line_error(human, "none of 30 portraits has a trusted mask")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either --round N or --data DIR"),
        (("--round", "1", "--data", "x"), "give either --round N or --data DIR"),
        (("--round", "1", "--resume"), "resumes by itself"),
        (("--round", "1", "--held-out", "0.2"), "resumes by itself"),
        (("--data", "x", "--force"), "go with --round"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], message: str) -> None:
    answer = run("train", *arguments)
    assert answer.code == 2
    assert message in answer.err


def test_an_empty_workspace_says_what_to_do(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path / "empty")
    for command in (("train", "--round", "3"), ("export", "--out", "out")):
        answer = run("-w", tmp_path / "empty", *command)
        assert_one_line_error(answer, "no portraits yet; bring photos with `dataengine ingest`")
    assert "No round was trained yet" in run("-w", tmp_path / "empty", "rounds").out


def test_without_a_test_split_nothing_is_frozen(
    run: Run, workspace: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAENGINE_RELEASE__TEST_SHARE", "0")
    answer = run("-w", workspace, "train", "--round", "1", "--config", config)
    assert_one_line_error(answer, "`test` is empty; none of the 30 trusted portraits falls to it")
    assert not (workspace / "releases").exists()
    assert table(run, workspace) == []


def test_a_student_that_learnt_from_near_copies_of_test_photos_is_flagged(
    run: Run, workspace: Path, config: Path
) -> None:
    trained(run, workspace, "--round", "1", "--config", config, "--epochs", "1")
    assert table(run, workspace)[0]["leaked"] == 0
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database, database:
        one_of = "SELECT min(id) FROM image WHERE split = ?"
        (of_train,) = database.execute(one_of, ["train"]).fetchone()
        (of_test,) = database.execute(one_of, ["test"]).fetchone()
        groups = [(min(of_train, of_test), image) for image in (of_train, of_test)]
        database.executemany("UPDATE image SET group_id = ? WHERE id = ?", groups)
    assert table(run, workspace)[0]["leaked"] == 1
    assert "learnt from 1 photos that are near-copies" in run("-w", workspace, "rounds").out
    later = json.loads(run("-w", workspace, "export", "--out", "out", "--json").out)
    assert later["portraits"] == COUNT - 1, "it is left out of later releases"


def test_masks_of_nothing_but_background_are_no_data(
    run: Run, workspace: Path, config: Path
) -> None:
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database, database:
        database.execute("UPDATE mask SET scores = json_set(scores, '$.area', 0.0)")
    answer = run("-w", workspace, "train", "--round", "1", "--config", config)
    assert_one_line_error(answer, "portraits in `train` show nothing but background; look at them")


def test_what_a_round_made_is_verified_and_explained(
    run: Run, workspace: Path, config: Path
) -> None:
    trained(run, workspace, "--round", "1", "--config", config, "--epochs", "1")
    assert run("-w", workspace, "verify").code == 0
    release = workspace / "releases/round-1"
    image = next(iter((release / "images").iterdir()))
    found = json.loads(run("-w", workspace, "explain", f"{image}:3,4", "--json").out)
    assert "round-1" in json.dumps(found)
    assert "runs/round-1" in json.dumps(found)
    weights = workspace / "runs/round-1/last.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    answer = run("-w", workspace, "verify")
    assert answer.code == 1
    assert "runs/round-1/last.safetensors" in answer.out + answer.err
