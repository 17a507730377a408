"""A worker: claims batches and runs them until nothing is left or it is told to stop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy.engine import Connection as Database

from db import Job, beside, queue, reader, transact
from pipelines.work.ahead import Ahead
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
    """A worker begins a batch of jobs, by their ids; others are run beside it, see `ahead`."""

    jobs: tuple[int, ...]
    others: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Claimed:
    """Jobs of a stage, and, if they are worth it, those to run ahead of their turn."""

    work: StageWork[Any, Any]
    jobs: list[Job]
    ahead: "_Claimed | None" = None


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
        with Ahead(self._place, self._sizes) as ahead:
            self._run(stop, say, ahead)

    def _run(self, stop: Callable[[], bool], say: Callable[[object], None], ahead: Ahead) -> None:
        stages = [each.stage for each in self._table]
        cleared_up = time.monotonic()

        def begin(ids: tuple[int, ...]) -> None:
            say(Begun(ids, tuple(each for each in ahead.jobs if each not in ids)))

        def end_ahead() -> bool:
            ended = ahead.end(begin)
            if ended is not None:
                say(ended)
            return ended is not None

        while not stop():
            if ahead.is_done:
                end_ahead()
            claimed = self._claim(ahead.work)
            if claimed:
                if claimed.ahead:
                    ahead.begin(claimed.ahead.work, claimed.ahead.jobs)
                claimed.work.load()
                with self._sizes.timed(claimed.work, len(claimed.jobs)):
                    say(run_chunk(self._place, claimed.work, claimed.jobs, begin))
                continue
            if end_ahead():
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
        end_ahead()

    def _claim(self, under_way: StageWork[Any, Any] | None) -> _Claimed | None:
        owner, lease = self._place.owner, self._lease_seconds

        def claim(connection: Database, work: StageWork[Any, Any]) -> list[Job]:
            return queue.claim(connection, work.stage, owner, self._sizes.of(work), lease)

        def to_go_ahead(connection: Database, after: int) -> _Claimed | None:
            for number in range(after, len(self._table)):
                late = self._table[number]
                if not late.waits:
                    continue
                before, most = [each.stage for each in self._table[:number]], self._sizes.of(late)
                if queue.waiting(connection, before, most) == most:
                    continue  # it has time
                jobs = claim(connection, late)
                if jobs:
                    return _Claimed(late, jobs)
            return None

        def first_jobs(connection: Database) -> _Claimed | None:
            for number, each in enumerate(self._table):
                if each is under_way:
                    return None  # its turn has come: it is waited for
                jobs = claim(connection, each)
                if jobs:
                    late = None if under_way else to_go_ahead(connection, number + 1)
                    return _Claimed(each, jobs, late)
            return None

        return transact(beside(self._place.engine), first_jobs)
