"""A worker: claims batches and runs them until nothing is left or it is told to stop."""

import multiprocessing
import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from db import DatabaseError, Job, Stage, explain, queue
from pipelines.ingest.batches import BatchRunner
from pipelines.ingest.models import Models
from pipelines.ingest.tally import Tally
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace

STAGES = (Stage.LABEL, Stage.IMPORT, Stage.DETECT, Stage.READ)
"""In the order of preference: what is begun is finished before more is begun."""

_READ_BATCH = 64
_IDLE_SECONDS = 0.05
_CLEAR_UP_SECONDS = 2.0


class Worker:
    """Works through the queue of a workspace."""

    def __init__(self, workspace: Workspace, threads: int) -> None:
        """Prepare a worker; models are loaded when they are first needed.

        Args:
            workspace: this process's own.
            threads: of the numerical libraries.
        """
        self._workspace = workspace
        self.models = Models(workspace.settings, threads)
        self._runner = BatchRunner(workspace, self.models)

    def run(self, stop: Callable[[], bool], report: Callable[[Tally], None]) -> None:
        """Work until no job is left, other processes' included: they might die of theirs.

        Args:
            stop: asked between batches.
            report: told what each batch committed.

        Raises:
            PipelineError: a model cannot be loaded, or blobs cannot be written.
            DatabaseError: the database cannot be written.
        """
        cleared_up = time.monotonic()
        while not stop():
            jobs = self._claim()
            if jobs:
                report(self._runner.run(jobs))
                continue
            with self._workspace.engine.begin() as connection:
                left = queue.pending(connection, STAGES)
            if not any(left):
                return
            if time.monotonic() - cleared_up > _CLEAR_UP_SECONDS:
                self._workspace.clear_up_after_the_dead()
                cleared_up = time.monotonic()
            time.sleep(_IDLE_SECONDS)

    def _claim(self) -> Sequence[Job]:
        owner, lease = self._workspace.owner, self._workspace.settings.engine.lease_seconds
        with self._workspace.engine.begin() as connection:
            for stage in STAGES:
                limit = _READ_BATCH if stage is Stage.READ else self.models.batch_size
                jobs = queue.claim(connection, stage, owner, limit, lease)
                if jobs:
                    return jobs
        return []


@dataclass(frozen=True)
class Hello:
    """First message of a worker process: the name under which it holds jobs."""

    owner: str


@dataclass(frozen=True)
class Broken:
    """Last message of a worker process that cannot go on, though no item is at fault."""

    message: str
    details: str


def work_in_process(root: Path, settings: Settings, threads: int, pipe: Connection) -> None:
    """Body of a worker process.

    It sends `Hello`, then a `Tally` a batch, and `Broken` if it has to give up; any message from
    the parent tells it to stop after its batch. It dies with its parent, however that died.

    Args:
        root: the workspace.
        settings: what holds in it.
        threads: of the numerical libraries.
        pipe: to the parent.
    """
    # As in the parent: Pillow warns of every odd EXIF block.
    warnings.filterwarnings("ignore", module="PIL")
    _die_with_parent()
    try:
        workspace = Workspace(root, settings)
        try:
            pipe.send(Hello(workspace.owner))
            worker = Worker(workspace, threads)
            worker.models.load()
            worker.run(pipe.poll, pipe.send)
        finally:
            workspace.close()
    except (PipelineError, DatabaseError) as error:
        pipe.send(Broken(str(error), traceback.format_exc()))
    except Exception as error:  # the parent tells the user; a traceback here would be lost
        message = explain(error) or f"unexpected {type(error).__name__}: {error}"
        pipe.send(Broken(message, traceback.format_exc()))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
