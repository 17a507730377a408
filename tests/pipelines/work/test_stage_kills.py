"""SIGKILL at random moments of relabelling and signals: the last run ends as an undisturbed one."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST
from tests.pipelines.ingest.snapshot import broken_blobs, leftovers, snapshot
from tests.pipelines.reviewed_workspaces import many, multiply

__all__ = ["many"]

KILLS = 4
MASKS = 180
# Relabelling by the mean with the network that made the masks gives each a successor.
SCRIPT = """
import sys
from pathlib import Path

from pipelines.doubt.stored_signals import stored_signals
from pipelines.networks import parse_network
from pipelines.rounds.relabel import RelabelRequest, relabel_portraits
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace

root = Path(sys.argv[2])
workspace = Workspace(root, load_settings(root, {"engine": {"workers": int(sys.argv[3])}}))
if sys.argv[1] == "relabel":
    done = relabel_portraits(workspace, RelabelRequest(network=parse_network("fake")))
    assert not done.failures, done.failures
else:
    stored_signals(workspace, range(1, 1000))
workspace.close()
"""
ROWS = {
    "relabel": "SELECT portrait_id, revision, source, producer, blob, probability_blob, verdict,"
    " reasons, scores FROM mask ORDER BY portrait_id, revision",
    "signals": 'SELECT mask_id, version, "values" FROM mask_signals ORDER BY mask_id',
}


@contextmanager
def started(stage: str, root: Path, workers: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, stage, str(root), str(workers)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **FAST_INGEST},
    )
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def query(root: Path, text: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{root}/dataengine.db?mode=ro", uri=True)) as database:
        return database.execute(text).fetchall()


def finished(root: Path, stage: str) -> int:
    text = f"SELECT count(*) FROM job WHERE stage = '{stage}' AND state = 'succeeded'"
    return int(query(root, text)[0][0])


def run(stage: str, root: Path, workers: int) -> None:
    with started(stage, root, workers) as process:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def crowd(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(many, tmp_path_factory.mktemp("crowd") / "ws"))
    workspace = Workspace(root, load_settings(root))
    multiply(workspace, MASKS)
    workspace.close()
    return root


@pytest.mark.parametrize("stage", ["relabel", "signals"])
def test_killed_runs_resume_to_the_same_end(stage: str, crowd: Path, tmp_path: Path) -> None:
    undisturbed = Path(shutil.copytree(crowd, tmp_path / "undisturbed"))
    killed = Path(shutil.copytree(crowd, tmp_path / "killed"))
    run(stage, undisturbed, 0)
    total = finished(undisturbed, stage)
    assert total >= MASKS
    for number in range(KILLS):
        with started(stage, killed, 2 * (number % 2)) as process:
            enough = total * random.uniform(number, number + 0.2) / KILLS
            while finished(killed, stage) < enough:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.05))
        assert broken_blobs(killed) == []
    assert finished(killed, stage) < total
    run(stage, killed, 2)
    assert query(killed, ROWS[stage]) == query(undisturbed, ROWS[stage])
    jobs = "SELECT stage, item_id, state, argument FROM job ORDER BY stage, item_id"
    assert query(killed, jobs) == query(undisturbed, jobs)
    assert set(snapshot(killed)) == set(snapshot(undisturbed))
    assert leftovers(killed) == leftovers(undisturbed)
