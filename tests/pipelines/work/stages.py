"""A stage whose items do what their jobs' argument says, in processes that import this file."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.engine import Connection

from db import Job, Stage, queue
from pipelines.work.isolation import attempt
from pipelines.work.stage import StageWork
from pipelines.workspace.errors import ItemError, WorkspaceError
from pipelines.workspace.workspace import Workspace

Task = tuple[int, str]


class ToldWork(StageWork[Task, int]):
    """Keeps a diary of what it begins, one line an item, in the workspace."""

    stage = Stage.READ
    batch_size = 4

    def __init__(self, diary: Path) -> None:
        self._diary = diary

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, Task]:
        return {job.item_id: (job.item_id, job.argument or "") for job in jobs}

    def run(self, items: Sequence[Task]) -> list[int | ItemError]:
        return [attempt(self._do, item) for item in items]

    def save(self, connection: Connection, item_id: int, out: int) -> int:
        return out

    def _do(self, task: Task) -> int:
        item_id, what = task
        with self._diary.open("a") as diary:
            diary.write(f"{item_id}\n")
        if what.startswith("sleep "):
            time.sleep(float(what.removeprefix("sleep ")))
        elif what == "die":
            os._exit(77)
        elif what == "fail":
            raise ItemError("odd", "an odd item")
        elif what == "err":
            raise ValueError("unforeseen\nindeed")
        elif what == "break":
            raise WorkspaceError("the disk is full")
        return item_id * 10


class AloneWork(ToldWork):
    """The same, one by one."""

    batch_size = 1


def told_stages(workspace: Workspace, _threads: int) -> tuple[ToldWork]:
    return (ToldWork(workspace.paths.root / "diary"),)


def alone_stages(workspace: Workspace, _threads: int) -> tuple[AloneWork]:
    return (AloneWork(workspace.paths.root / "diary"),)


class FarWork(ToldWork):
    """Waits for others, and asks for `NearWork` on what it got."""

    waits = True

    def save(self, connection: Connection, item_id: int, out: int) -> int:
        what = "die" if item_id in self._late else "sleep 0.01"
        queue.enqueue(connection, Stage.DETECT, [item_id], what)
        return out

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, Task]:
        self._late = {job.item_id for job in jobs if job.argument == "die later"}
        return super().fetch(connection, jobs)


class NearWork(ToldWork):
    """Computes."""

    stage = Stage.DETECT


def near_and_far(workspace: Workspace, _threads: int) -> tuple[NearWork, FarWork]:
    diary = workspace.paths.root / "diary"
    return NearWork(diary), FarWork(diary)
