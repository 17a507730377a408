"""Ctrl-C, a full disk and an item that kills its worker: a run ends in order and can go on."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import JobState, Stage, open_engine, queue
from tests.conftest import FAKES
from tests.pipelines.ingest.conftest import Ingest, picture, save
from tests.pipelines.ingest.runs import Run, ingest
from tests.snapshots import broken_blobs, differences, leftovers, snapshot

# Imported by every Python that starts with its folder in PYTHONPATH, worker processes included.
SLOW_OR_POISONED = """
import os, time
import pipelines.pictures.fake as fakes

detect = fakes.FakeDetector.detect

def changed(self, images):
    time.sleep(float(os.environ.get("TEST_SECONDS_A_BATCH", 0)))
    if any((image[0, 0] == (1, 2, 3)).all() for image in images):
        os._exit(77)
    return detect(self, images)

fakes.FakeDetector.detect = changed
"""


@pytest.fixture
def slow_or_poisoned(tmp_path: Path) -> dict[str, str]:
    """Environment in which the fake detector dies of images with a corner of colour (1, 2, 3)."""
    (tmp_path / "injected").mkdir()
    (tmp_path / "injected/sitecustomize.py").write_text(SLOW_OR_POISONED)
    return {**FAKES, "PYTHONPATH": str(tmp_path / "injected")}


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crawl")
    for number in range(40):
        save(folder / f"{number:02}.png", picture(number))
    return folder


def jobs(workspace: Path) -> dict[Stage, dict[JobState, int]]:
    engine = open_engine(f"sqlite:///{workspace}/dataengine.db")
    try:
        with engine.begin() as connection:
            return queue.counts(connection)
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("workers", "asking"), [("0", signal.SIGTERM), ("2", signal.SIGINT), ("2", signal.SIGTERM)]
)
def test_ctrl_c_stops_after_the_batches_under_way(
    crawl: Path,
    tmp_path: Path,
    slow_or_poisoned: dict[str, str],
    ingest_here: Ingest,
    workers: str,
    asking: signal.Signals,
) -> None:
    slow = {**slow_or_poisoned, "TEST_SECONDS_A_BATCH": "1"}
    run = Run(tmp_path / "ws", crawl, "--workers", workers, environment=slow)
    # Read, and a batch of four searched.
    assert run.wait_until(lambda: run.finished_jobs() >= 44), run.end().err
    run.signal(asking)
    asked = time.monotonic()
    ended = run.end()
    assert time.monotonic() - asked < 8
    assert ended.code == 130
    assert "Stopping after the batches under way" in ended.err
    assert "Run the same command to go on" in ended.err
    assert "Traceback" not in ended.err
    assert ended.summary["run"]["interrupted"] is True
    left = jobs(tmp_path / "ws")
    assert left[Stage.DETECT][JobState.TODO] > 0
    assert all(states[JobState.DOING] == 0 for states in left.values())
    assert broken_blobs(tmp_path / "ws") == []
    assert {line.partition(":")[0] for line in leftovers(tmp_path / "ws")} == {"unfinished"}
    assert ingest_here(tmp_path / "ws", crawl)["status"]["portraits"] == 40
    assert leftovers(tmp_path / "ws") == []


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_second_ctrl_c_stops_at_once(
    crawl: Path,
    tmp_path: Path,
    slow_or_poisoned: dict[str, str],
    ingest_here: Ingest,
    workers: str,
) -> None:
    slow = {**slow_or_poisoned, "TEST_SECONDS_A_BATCH": "60"}
    run = Run(tmp_path / "ws", crawl, "--workers", workers, environment=slow)
    assert run.wait_until(lambda: jobs_are_held(run)), run.end().err
    run.signal(signal.SIGINT)
    time.sleep(1)
    assert run.is_running
    run.signal(signal.SIGINT)
    asked = time.monotonic()
    ended = run.end()
    assert time.monotonic() - asked < 8
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert ingest_here(tmp_path / "ws", crawl)["status"]["portraits"] == 40
    assert leftovers(tmp_path / "ws") == []


def test_ctrl_c_while_the_workers_start(crawl: Path, tmp_path: Path, ingest_here: Ingest) -> None:
    """They import for a second or more, long before they could look after signals themselves."""
    run = Run(tmp_path / "ws", crawl, "--workers", "2")
    assert run.wait_until(run.worker_ids), run.end().err
    time.sleep(0.5)  # the interpreter is up, the modules are not
    run.signal(signal.SIGINT)
    ended = run.end()
    assert ended.code == 130, ended.err
    assert "Traceback" not in ended.err
    assert ended.summary["status"]["failures"] == {}
    assert ingest_here(tmp_path / "ws", crawl)["status"]["portraits"] == 40


def jobs_are_held(run: Run) -> bool:
    return run.finished_jobs() == 40 and jobs(run.workspace)[Stage.DETECT][JobState.DOING] > 0


def test_an_item_that_kills_its_worker_fails_alone(
    crawl: Path, tmp_path: Path, slow_or_poisoned: dict[str, str], ingest_here: Ingest
) -> None:
    raw = Path(shutil.copytree(crawl, tmp_path / "raw"))
    poison = picture(100)
    poison[0, 0] = (1, 2, 3)
    save(raw / "05 poison.png", poison)
    ended = ingest(tmp_path / "ws", raw, "--workers", "2", environment=slow_or_poisoned)
    assert ended.code == 0, ended.err
    status = ended.summary["status"]
    assert status["failures"] == {"worker_crashed": 1}
    assert (status["portraits"], status["photos"]["failed"]) == (40, 1)
    rows = snapshot(tmp_path / "ws")
    failed = [row for key, row in rows.items() if key[0] == "job" and row["state"] == "failed"]
    assert [row["error"] for row in failed] == [
        "the worker process died 3 times while working on it"
    ]
    assert (broken_blobs(tmp_path / "ws"), leftovers(tmp_path / "ws")) == ([], [])
    # With a detector that survives the image, the failed job alone is done again.
    cured = ingest_here(tmp_path / "ws", "--retry-failed")
    assert (cured["run"]["retried"], cured["run"]["portraits"]) == (1, 1)
    assert cured["status"]["failures"] == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system needs the right to mount one")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_full_disk_is_one_line_and_nothing_half_written(
    crawl: Path, tmp_path: Path, small_disk: Path, ingest_here: Ingest, workers: str
) -> None:
    workspace = small_disk / "ws"
    full = ingest(workspace, crawl, "--workers", workers)
    assert full.code == 1
    errors = [line for line in full.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "space" in errors[0] or "full" in errors[0]
    assert "Traceback" not in full.err
    assert broken_blobs(workspace) == []
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    ingest_here(workspace, crawl)
    ingest_here(tmp_path / "reference", crawl)
    assert differences(snapshot(tmp_path / "reference"), snapshot(workspace)) == []
    assert (broken_blobs(workspace), leftovers(workspace)) == ([], [])
