"""A worker: claims batches and runs them until nothing is left or it is told to stop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy.engine import Connection as Database

from db import Job, beside, queue, reader, transact
from pipelines.work.batch import run_chunk
from pipelines.work.chunks import ChunkSizes
from pipelines.work.crew import limit_library_threads
from pipelines.work.stage import Order, StageWork, Workplace

_IDLE_SECONDS = 0.05
_CLEAR_UP_SECONDS = 2.0


@dataclass(frozen=True)
class Hello:
    """First message of a worker: the name under which it holds jobs."""

    owner: str


@dataclass(frozen=True)
class Begun:
    """A worker begins a batch of jobs, by their ids."""

    jobs: tuple[int, ...]


def work(order: Order, pipe: Connection, *, load_first: bool) -> None:
    """Body of a worker.

    It sends `Hello`, then `Begun` and what was `Committed`, batch by batch; any message from the
    other side, or its end, tells it to stop after its batch.

    Args:
        order: what to do.
        pipe: to whoever supervises it.
        load_first: load everything now, so that what is missing stops a run at its beginning.

    Raises:
        PipelineError: a model cannot be loaded, or blobs cannot be written.
        DatabaseError: the database cannot be written.
    """
    limit_library_threads(1 if order.gpu is not None else order.threads)
    place = order.open()
    try:
        pipe.send(Hello(place.owner))
        table = order.table(place, order.threads)
        if load_first:
            for stage in table:
                stage.load()
        sizes = ChunkSizes(order.chunk_seconds)
        Worker(place, table, order.lease_seconds, sizes).run(pipe.poll, pipe.send)
    finally:
        place.close()


class Worker:
    """Works through the jobs of a table of stages."""

    def __init__(
        self,
        place: Workplace,
        table: Sequence[StageWork[Any, Any]],
        lease_seconds: float,
        sizes: ChunkSizes,
    ) -> None:
        """Prepare a worker; what stages compute with is loaded when it is first needed.

        Args:
            place: this worker's own.
            table: stages in the order of preference: what is begun is finished before more is
                begun.
            lease_seconds: how long to hold jobs; whoever supervises this worker prolongs it.
            sizes: how many to claim and commit at once.
        """
        self._place = place
        self._table = table
        self._lease_seconds = lease_seconds
        self._sizes = sizes

    def run(self, stop: Callable[[], bool], say: Callable[[object], None]) -> None:
        """Work until no job is left, other workers' included: they might die of theirs.

        Args:
            stop: asked between chunks.
            say: told what each batch begins with, and what each chunk committed.
        """
        stages = [each.stage for each in self._table]
        cleared_up = time.monotonic()
        while not stop():
            claimed = self._claim()
            if claimed:
                stage, jobs = claimed
                stage.load()
                with self._sizes.timed(stage, len(jobs)):
                    say(run_chunk(self._place, stage, jobs, lambda ids: say(Begun(ids))))
                continue
            left = transact(
                reader(self._place.engine), lambda connection: queue.pending(connection, stages)
            )
            if not any(left):
                return
            if time.monotonic() - cleared_up > _CLEAR_UP_SECONDS:
                self._place.clear_up_after_the_dead()
                cleared_up = time.monotonic()
            time.sleep(_IDLE_SECONDS)

    def _claim(self) -> tuple[StageWork[Any, Any], list[Job]] | None:
        owner, lease = self._place.owner, self._lease_seconds

        def first_jobs(connection: Database) -> tuple[StageWork[Any, Any], list[Job]] | None:
            for each in self._table:
                jobs = queue.claim(connection, each.stage, owner, self._sizes.of(each), lease)
                if jobs:
                    return each, jobs
            return None

        return transact(beside(self._place.engine), first_jobs)
