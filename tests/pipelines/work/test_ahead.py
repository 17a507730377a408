"""Batches that wait for other machines: run ahead of their turn, once, and committed in order."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Job, JobRow, JobState, Stage, queue
from pipelines.work.ahead import Ahead
from pipelines.work.chunks import ChunkSizes
from pipelines.work.crew import Crew
from pipelines.work.pool import work_through
from pipelines.work.stage import Committed, StageWork
from pipelines.work.worker import Begun, Worker
from pipelines.workspace.errors import ItemError, WorkspaceError
from pipelines.workspace.settings import EngineSettings, Settings
from pipelines.workspace.workspace import Workspace, make_workspace
from tests.pipelines.work.stages import ToldWork, near_and_far

FILES = 24


class Fetching(ToldWork):
    """Waits: of each batch it keeps the thread; the jobs that it asks for are `Computing`'s."""

    waits = True

    def __init__(self, diary: Path) -> None:
        super().__init__(diary)
        self.threads: list[str] = []
        self.begun = threading.Semaphore(0)

    def run(self, items: Sequence[tuple[int, str]]) -> list[int | ItemError]:
        self.threads.append(threading.current_thread().name)
        self.begun.release()
        return super().run(items)

    def save(self, connection: Connection, item_id: int, out: int) -> int:
        queue.enqueue(connection, Stage.DETECT, [item_id])
        return out


class Computing(StageWork[int, int]):
    """Goes on only once the next batch is being fetched, as long as there is one."""

    stage = Stage.DETECT
    batch_size = 4

    def __init__(self, fetching: Fetching, batches_ahead: int) -> None:
        self._fetching, self._left = fetching, batches_ahead
        self.ran: Counter[int] = Counter()

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, int]:
        return {job.item_id: job.item_id for job in jobs}

    def run(self, items: Sequence[int]) -> list[int | ItemError]:
        self.ran.update(items)
        if self._left:
            assert self._fetching.begun.acquire(timeout=30), "nothing is fetched meanwhile"
            self._left -= 1
        return list(items)

    def save(self, connection: Connection, item_id: int, out: int) -> int:
        return out


@pytest.fixture
def workspace(tmp_path: Path) -> Any:
    make_workspace(tmp_path / "ws", "")
    made = Workspace(tmp_path / "ws", Settings(engine=EngineSettings()))
    yield made
    made.close()


def ask(workspace: Workspace, what: Mapping[int, str]) -> None:
    with workspace.engine.begin() as connection:
        for number in range(1, FILES + 1):
            queue.enqueue(connection, Stage.READ, [number], what.get(number))


def states(workspace: Workspace, stage: Stage) -> dict[int, str]:
    query = sa.select(JobRow.item_id, JobRow.state).where(JobRow.stage == stage)
    with workspace.engine.begin() as connection:
        return {row[0]: str(row[1]) for row in connection.execute(query)}


def work(
    workspace: Workspace, batches_ahead: int, stop: Any = lambda: False
) -> tuple[Fetching, Computing, list[object]]:
    fetching = Fetching(workspace.paths.root / "diary")
    computing = Computing(fetching, batches_ahead)
    said: list[object] = []
    Worker(workspace, (computing, fetching), 60.0, ChunkSizes(0.0)).run(stop, said.append)
    return fetching, computing, said


def test_the_next_batch_is_fetched_while_one_is_computed(workspace: Workspace) -> None:
    ask(workspace, {})
    # The first fetched batch is nobody's next, and its own permit is one that computing takes.
    fetching, computing, said = work(workspace, batches_ahead=FILES // 4)
    assert fetching.threads[0] == threading.current_thread().name
    assert {each.partition("_")[0] for each in fetching.threads[1:]} == {"ahead"}
    diary = (workspace.paths.root / "diary").read_text().split()
    assert Counter(map(int, diary)) == computing.ran == Counter(range(1, FILES + 1)), "each once"
    assert set(states(workspace, Stage.DETECT).values()) == {"succeeded"}
    ahead = [each for each in said if isinstance(each, Begun) and each.others]
    assert ahead, "whoever supervises is told of both"
    assert all(set(each.others).isdisjoint(each.jobs) for each in ahead)


def test_what_fails_ahead_fails_in_its_turn_alone(workspace: Workspace) -> None:
    ask(workspace, {6: "fail", 15: "err"})
    _, computing, said = work(workspace, batches_ahead=2)
    failed = [each for each, state in states(workspace, Stage.READ).items() if state == "failed"]
    assert sorted(failed) == [6, 15]
    assert set(computing.ran) == set(range(1, FILES + 1)) - {6, 15}
    reports = [each for each in said if isinstance(each, Committed)]
    assert sorted(one.item_id for each in reports for one in each.failures) == [6, 15]


def test_what_is_no_items_fault_ends_the_run_ahead_too(workspace: Workspace) -> None:
    ask(workspace, {6: "break"})
    with pytest.raises(WorkspaceError, match="the disk is full"):
        work(workspace, batches_ahead=1)
    assert set(states(workspace, Stage.READ).values()) <= {"succeeded", "doing", "todo"}
    workspace.close()
    again = Workspace(workspace.paths.root, workspace.settings)
    assert JobState.DOING not in states(again, Stage.READ).values(), "given back"
    again.close()


def test_a_stopped_worker_commits_what_it_fetched(workspace: Workspace) -> None:
    ask(workspace, {})
    asked = iter([False, False, True])  # one batch fetched, one computed beside the next
    fetching, computing, _ = work(workspace, 1, lambda: next(asked))
    assert (len(fetching.threads), computing.ran.total()) == (2, 4)
    found = Counter(states(workspace, Stage.READ).values())
    assert found == {"succeeded": 8, "todo": FILES - 8}


def test_who_lost_its_lease_commits_nothing_of_either(workspace: Workspace) -> None:
    ask(workspace, {})
    fetching = Fetching(workspace.paths.root / "diary")
    with workspace.engine.begin() as connection:
        jobs = queue.claim(connection, Stage.READ, workspace.owner, 4, 60.0)
    with Ahead(workspace, ChunkSizes(0.0)) as ahead:
        ahead.begin(fetching, jobs)
        assert fetching.begun.acquire(timeout=30)
        with workspace.engine.begin() as connection:
            queue.release(connection, workspace.owner)
            others = queue.claim(connection, Stage.READ, "another", 4, 60.0)
        ended = ahead.end(lambda ids: None)
    assert others == [*map(_again, jobs)]
    assert ended is not None
    assert ended.done == 0
    assert states(workspace, Stage.DETECT) == {}


def _again(job: Job) -> Job:
    return Job(job.id, job.stage, job.item_id, job.attempts + 1, job.crashes, job.argument)


@pytest.mark.parametrize("guilty", ["far", "near"])
def test_the_item_that_kills_a_worker_is_found_on_either_thread(
    workspace: Workspace, guilty: str
) -> None:
    poison = 10
    ask(workspace, {poison: "die" if guilty == "far" else "die later"})
    reports: list[Committed] = []
    work_through(workspace, near_and_far, Crew(1, 1), lambda: False, reports.append)
    stage = Stage.READ if guilty == "far" else Stage.DETECT
    for each in (Stage.READ, Stage.DETECT):
        found = states(workspace, each)
        expected = {poison: "failed"} if each is stage else {}
        without = {poison} if each is not stage and guilty == "far" else set()
        everything = dict.fromkeys(set(range(1, FILES + 1)) - without, "succeeded")
        assert found == everything | expected
    assert sum(len(each.failures) for each in reports) == 1
