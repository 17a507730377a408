"""The engine: items that fail, hang, die or break, with workers in processes and without."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from db import JobRow, JobState, Stage, queue
from pipelines.work.crew import Crew, crew
from pipelines.work.pool import work_through
from pipelines.work.stage import Committed, StageTable
from pipelines.workspace.errors import WorkerError, WorkspaceError
from pipelines.workspace.settings import EngineSettings, Settings
from pipelines.workspace.workspace import Workspace, make_workspace
from tests.pipelines.work.stages import alone_stages, told_stages

EVERY_CREW = pytest.mark.parametrize("workers", [0, 2])


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    """Opens one workspace with some settings of the engine."""
    made: list[Workspace] = []

    def call(**engine: Any) -> Workspace:
        make_workspace(tmp_path / "ws", "")
        made.append(Workspace(tmp_path / "ws", Settings(engine=EngineSettings(**engine))))
        return made[-1]

    yield call
    for workspace in made:
        workspace.close()


def ask(workspace: Workspace, arguments: Mapping[int, str]) -> None:
    with workspace.engine.begin() as connection:
        for item_id, argument in arguments.items():
            queue.enqueue(connection, Stage.READ, [item_id], argument)


def run(
    workspace: Workspace,
    workers: int,
    table: StageTable = told_stages,
    stop: Callable[[], bool] = lambda: False,
) -> list[Committed]:
    reports: list[Committed] = []
    work_through(workspace, table, Crew(workers, 1), stop, reports.append)
    return reports


def states(workspace: Workspace) -> dict[int, tuple[str, str | None]]:
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(JobRow.item_id, JobRow.state, JobRow.reason))
        return {row.item_id: (str(row.state), row.reason) for row in rows}


def begun(workspace: Workspace) -> Counter[int]:
    return Counter(map(int, (workspace.paths.root / "diary").read_text().split()))


@EVERY_CREW
def test_an_endless_item_is_set_aside_and_the_run_ends(opened: Any, workers: int) -> None:
    workspace = opened(item_seconds=2)
    ask(workspace, {**dict.fromkeys(range(1, 9), ""), 3: "sleep 3600"})
    reports = run(workspace, workers)
    expected = dict.fromkeys(range(1, 9), ("succeeded", None))
    assert states(workspace) == {**expected, 3: ("failed", "timed_out")}
    assert sorted(each for report in reports for each in report.told) == [
        10, 20, 40, 50, 60, 70, 80,
    ]  # fmt: skip
    told = [(each.item_id, each.reason) for report in reports for each in report.failures]
    assert told == [(3, "timed_out")]
    assert begun(workspace)[3] == 2, "once in company, once alone"
    with workspace.engine.begin() as connection:
        error = connection.scalar(sa.select(JobRow.error).where(JobRow.item_id == 3))
        assert error == (
            "took longer than 2 s and was ended; `[engine] item_seconds` in the settings is the "
            "limit"
        )


@EVERY_CREW
def test_an_item_may_take_longer_than_its_lease(opened: Any, workers: int) -> None:
    """Two runs at once: neither takes from the other what is being done."""
    workspace = opened(lease_seconds=1.5)
    ask(workspace, {1: "sleep 5", 2: "sleep 5", 3: ""})
    run(workspace, workers, alone_stages)
    assert set(states(workspace).values()) == {("succeeded", None)}
    assert begun(workspace) == {1: 1, 2: 1, 3: 1}


def test_only_the_item_that_kills_its_worker_fails(opened: Any) -> None:
    workspace = opened()
    ask(workspace, {**dict.fromkeys(range(1, 9), ""), 6: "die"})
    reports = run(workspace, 2)
    expected = dict.fromkeys(range(1, 9), ("succeeded", None))
    assert states(workspace) == {**expected, 6: ("failed", "worker_crashed")}
    failures = [each.reason for report in reports for each in report.failures]
    assert failures == ["worker_crashed"]


@EVERY_CREW
def test_items_that_fail_say_why_and_take_no_other_with_them(opened: Any, workers: int) -> None:
    workspace = opened()
    ask(workspace, {1: "", 2: "fail", 3: "err", 4: ""})
    run(workspace, workers)
    assert states(workspace) == {
        1: ("succeeded", None),
        2: ("failed", "odd"),
        3: ("failed", "unexpected_error"),
        4: ("succeeded", None),
    }


@pytest.mark.parametrize(("workers", "error"), [(0, WorkspaceError), (2, WorkerError)])
def test_what_is_no_items_fault_ends_the_run(
    opened: Any, workers: int, error: type[Exception]
) -> None:
    workspace = opened()
    ask(workspace, {1: "break"})
    with pytest.raises(error, match="the disk is full"):
        run(workspace, workers)
    assert states(workspace) == {1: ("todo", None)}


@EVERY_CREW
def test_a_stopped_run_ends_after_the_batches_under_way(opened: Any, workers: int) -> None:
    workspace = opened()
    ask(workspace, dict.fromkeys(range(40), "sleep 0.2"))
    started = time.monotonic()
    run(workspace, workers, stop=lambda: (workspace.paths.root / "diary").exists())
    assert time.monotonic() - started < 30
    counted = Counter(state for state, _ in states(workspace).values())
    assert counted["doing"] == 0
    assert 4 <= counted["succeeded"] < 40
    assert sum(begun(workspace).values()) == counted["succeeded"]


@EVERY_CREW
def test_jobs_of_stages_that_only_a_newer_version_knows_are_left_alone(
    opened: Any, workers: int
) -> None:
    workspace = opened()
    ask(workspace, {1: ""})
    with workspace.engine.begin() as connection:
        for state, owner in (("todo", "NULL"), ("doing", "'newer-1-a'")):
            connection.exec_driver_sql(
                "INSERT INTO job (stage, item_id, state, attempts, crashes, owner, lease_until)"
                f" VALUES ('depth_map', {len(state)}, '{state}', 1, 0, {owner}, 1.0)"
            )
    run(workspace, workers)
    workspace.clear_up_after_the_dead()
    with workspace.engine.begin() as connection:
        assert queue.counts(connection)[Stage.READ][JobState.SUCCEEDED] == 1
        rows = connection.execute(sa.select(JobRow.stage, JobRow.state, JobRow.owner)).all()
    of_newer = sorted((row.state, row.owner or "") for row in rows if row.stage == "depth_map")
    assert of_newer == [("doing", "newer-1-a"), ("todo", "")]


def test_what_is_left_behind_commits_nothing(opened: Any) -> None:
    """A thread cannot be killed: it finds its job taken away when it wakes up."""
    workspace = opened(item_seconds=1)
    ask(workspace, {1: "sleep 4"})
    run(workspace, 0, alone_stages)
    assert states(workspace) == {1: ("failed", "timed_out")}
    time.sleep(5)
    assert states(workspace) == {1: ("failed", "timed_out")}


def test_few_items_start_few_workers() -> None:
    alone, many = EngineSettings(), EngineSettings(workers=5)
    assert crew(alone, 299, worth_a_process=300).workers == 0
    assert crew(alone, 300, worth_a_process=300).workers == 1
    assert crew(alone, 10**6).workers >= 1
    assert crew(many, 1, worth_a_process=300) == Crew(5, 1)
