"""SIGKILL at moments spread over a run: whoever is killed, it ends as one nobody disturbed."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.kills import Command, Whom, campaign
from tests.kills_on_postgres import campaign_on_postgres, in_bucket
from tests.pipelines.ingest.runs import Run, ingest
from tests.snapshots import broken_blobs, differences, leftovers, snapshot

EVERYBODY = (Whom.GROUP, Whom.PARENT, Whom.WORKER)
CAMPAIGN = [pytest.mark.campaign, pytest.mark.timeout(7200)]
BY_DEFAULT = [("sqlite", 3), ("postgresql", 2), ("postgresql and a bucket", 1)]
IN_CAMPAIGN = [
    pytest.param("sqlite", 200, marks=CAMPAIGN),
    pytest.param("postgresql", 20, marks=CAMPAIGN),
    pytest.param("postgresql and a bucket", 20, marks=CAMPAIGN),
]


@pytest.mark.parametrize(("kind", "kills"), [*BY_DEFAULT, *IN_CAMPAIGN])
def test_killed_runs_resume_to_the_same_end(
    small_crawl: Path, tmp_path: Path, kind: str, kills: int
) -> None:
    world = tmp_path / "world"
    (world / "crawl").mkdir(parents=True)
    files = [each for each in small_crawl.rglob("*") if each.is_file()]
    for number, file in enumerate(sorted(files, key=lambda each: each.stat().st_size)[:30]):
        shutil.copy(file, world / f"crawl/{number:02} {file.name}")
    command = Command(arguments=("ingest", "crawl", "--workers", "2"))
    attack = campaign if kind == "sqlite" else campaign_on_postgres
    if kind.endswith("bucket"):
        attack = partial(campaign_on_postgres, blobs=in_bucket, seed=1)  # an early one
    tally = attack(world, command, tmp_path / "copies", kills=kills, a_copy=5, whom=EVERYBODY)
    assert not tally.differences, "\n".join(tally.differences)
    assert tally.hits["during"] >= 0.9 * kills


def test_two_runs_at_once_end_as_one(small_crawl: Path, tmp_path: Path) -> None:
    one, workspace = tmp_path / "one", tmp_path / "ws"
    assert ingest(one, small_crawl, "--workers", "0").code == 0
    uninterrupted = snapshot(one)
    runs = [Run(workspace, small_crawl, "--workers", "1") for _ in range(2)]
    ends = [run.end() for run in runs]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    assert differences(uninterrupted, snapshot(workspace)) == []
    assert (broken_blobs(workspace), leftovers(workspace)) == ([], [])
    tallies = [end.summary["run"] for end in ends]
    portraits = sum(key[0] == "portrait" for key in uninterrupted)
    assert sum(tally["portraits"] for tally in tallies) == portraits
    assert all(tally["files"] for tally in tallies), "one of them did all the work"
