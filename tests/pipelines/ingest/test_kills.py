"""SIGKILL at random moments: whatever is killed, the resumed run ends as an uninterrupted one."""

import os
import signal
from pathlib import Path

import pytest

from tests.pipelines.ingest.runs import FAKES, Run, ingest, ingest_through_kills
from tests.pipelines.ingest.snapshot import Snapshot, broken_blobs, differences, leftovers, snapshot

KILLS = 6


@pytest.fixture(scope="module")
def uninterrupted(small_crawl: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    workspace = tmp_path_factory.mktemp("uninterrupted") / "ws"
    ended = ingest(workspace, small_crawl, "--workers", "0")
    assert ended.code == 0, ended.err
    assert (broken_blobs(workspace), leftovers(workspace)) == ([], [])
    return snapshot(workspace)


def test_killed_runs_resume_to_the_same_end(
    small_crawl: Path, uninterrupted: Snapshot, tmp_path: Path
) -> None:
    workspace = tmp_path / "ws"
    total = sum(key[0] == "job" for key in uninterrupted)
    ended = ingest_through_kills(workspace, [small_crawl], KILLS, total, FAKES)
    assert ended.code == 0, ended.err
    assert differences(uninterrupted, snapshot(workspace)) == []
    assert (broken_blobs(workspace), leftovers(workspace)) == ([], [])


def test_a_killed_worker_is_replaced_and_its_items_are_tried_again(
    small_crawl: Path, uninterrupted: Snapshot, tmp_path: Path
) -> None:
    workspace = tmp_path / "ws"
    total = sum(key[0] == "job" for key in uninterrupted)
    run = Run(workspace, small_crawl, "--workers", "2")
    killed: set[int] = set()
    for share in (0.2, 0.5, 0.8):
        assert run.wait_until(lambda: run.finished_jobs() >= total * share)  # noqa: B023
        assert run.wait_until(lambda: set(run.worker_ids()) - killed)
        victim = (set(run.worker_ids()) - killed).pop()
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    ended = run.end()
    assert ended.code == 0, ended.err
    assert len(killed) == 3
    assert differences(uninterrupted, snapshot(workspace)) == []
    assert (broken_blobs(workspace), leftovers(workspace)) == ([], [])


def test_two_runs_at_once_end_as_one(
    small_crawl: Path, uninterrupted: Snapshot, tmp_path: Path
) -> None:
    workspace = tmp_path / "ws"
    runs = [Run(workspace, small_crawl, "--workers", "1") for _ in range(2)]
    ends = [run.end() for run in runs]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    assert differences(uninterrupted, snapshot(workspace)) == []
    assert (broken_blobs(workspace), leftovers(workspace)) == ([], [])
    tallies = [end.summary["run"] for end in ends]
    portraits = sum(key[0] == "portrait" for key in uninterrupted)
    assert sum(tally["portraits"] for tally in tallies) == portraits
    assert all(tally["files"] for tally in tallies), "one of them did all the work"
