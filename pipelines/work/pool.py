"""Workers: started, listened to, kept in their jobs, ended when stuck, replaced when they die.

Whoever supervises them renews their leases, since a worker that is deep in a decoder or a network
cannot; so a lease ends only when the supervisor is gone, too, and an item takes as long as it may.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import wait

from sqlalchemy.engine import Connection

from db import Job, beside, queue, transact
from pipelines.work.crew import Crew
from pipelines.work.members import Broken, Member, ProcessMember, ThreadMember
from pipelines.work.stage import Committed, Failure, Order, StageTable, Workplace
from pipelines.work.worker import Begun, Hello
from pipelines.workspace.errors import WorkerError
from pipelines.workspace.settings import EngineSettings

_POLL_SECONDS = 0.2
# A database server is asked less often than a file, which answers at once.
_SERVER_CHUNK_SECONDS = 1.0
# A worker that dies before it holds anything will die again; one that dies of an item is replaced,
# since the queue quarantines what it held.
_MAX_EARLY_DEATHS = 3

# Once in company and twice alone: two kills from outside may hit one innocent item.
_CRASHES = 3


@dataclass
class _Watched:
    """A worker, its GPU, its name in jobs, its batch, and when that has to be done (monotonic)."""

    member: Member
    gpu: int | None = None
    owner: str | None = None
    batch: tuple[int, ...] = ()
    deadline: float | None = None


def work_through(
    place: Workplace,
    table: StageTable,
    crew: Crew,
    stop: Callable[[], bool],
    report: Callable[[Committed], None],
) -> None:
    """Do all jobs of a table's stages, whoever asked for them.

    Args:
        place: where; opened by the caller, and once more by each worker.
        table: makes the stages; a function or `partial` that worker processes can import.
        crew: who works.
        stop: asked several times a second; True ends the work after the batches under way.
        report: told what each batch committed.

    Raises:
        WorkerError: the workers cannot go on; what they committed stays.
        PipelineError: likewise, if the work is done in this process.
        DatabaseError: the database cannot be written.
    """
    order = order_for(place.settings.engine, table, place.reopener(), crew.preload, crew.threads)
    if place.engine.dialect.name != "sqlite":
        order = replace(order, chunk_seconds=_SERVER_CHUNK_SECONDS)
    Pool(place, order, crew.workers, crew.gpus).run(stop, report)


def order_for(
    settings: EngineSettings,
    table: StageTable,
    reopener: Callable[[], Workplace],
    preload: tuple[str, ...],
    threads: int = 1,
) -> Order:
    """What workers are told, as settings say.

    Args:
        settings: of the engine.
        table: makes the stages.
        reopener: opens the workplace where the worker is.
        preload: as in `Crew`.
        threads: likewise.
    """
    return Order(
        open=reopener,
        table=table,
        threads=threads,
        lease_seconds=settings.lease_seconds,
        item_seconds=settings.item_seconds,
        preload=preload,
    )


class Pool:
    """Runs a number of workers at one place until its jobs are done."""

    def __init__(self, place: Workplace, order: Order, workers: int, gpus: int = 0) -> None:
        """Prepare a pool.

        Args:
            place: the supervisor's own; each worker opens another.
            order: what the workers are told.
            workers: number of processes; 0: one thread of this process.
            gpus: that processes are given, each one; 0: none.
        """
        self._place = place
        self._order = order
        self._workers = workers
        self._gpus = gpus
        self._watched: list[_Watched] = []
        self._early_deaths = 0
        self._error: Exception | None = None
        self._renewed = time.monotonic()

    def run(self, stop: Callable[[], bool], report: Callable[[Committed], None]) -> None:
        """Work until no job is left or `stop` says so.

        Args:
            stop: asked several times a second.
            report: told what each batch committed.

        Raises:
            WorkerError: the workers cannot go on; what they committed stays.
            PipelineError: likewise, if the work is done in this process.
        """
        for _ in range(max(1, self._workers)):
            self._watched.append(self._start())
        stopping = False
        try:
            while self._watched:
                if not stopping and (stop() or self._error):
                    stopping = True
                    self._tell_all_to_stop()
                pipes = {each.member.pipe: each for each in self._watched}
                for pipe in wait(list(pipes), timeout=_POLL_SECONDS):
                    self._listen(pipes[pipe], report, stopping)  # type: ignore[index]
                self._renew_leases()
                self._end_the_stuck(report, stopping)
        finally:
            for each in self._watched:
                each.member.kill()
        if self._error:
            raise self._error

    def _start(self) -> _Watched:
        if not self._workers:
            return _Watched(ThreadMember(self._order))
        order = replace(self._order, gpu=self._free_gpu())
        return _Watched(ProcessMember(order), gpu=order.gpu)

    def _free_gpu(self) -> int | None:
        """The one that fewest workers have: a worker that dies leaves its own to the next."""
        if not self._gpus:
            return None
        taken = Counter(each.gpu for each in self._watched)
        return min(range(self._gpus), key=lambda gpu: taken[gpu])

    def _listen(
        self, watched: _Watched, report: Callable[[Committed], None], stopping: bool
    ) -> None:
        try:
            message = watched.member.pipe.recv()
        except (EOFError, OSError):
            self._bury(watched, report, stopping)
            return
        match message:
            case Hello(owner):
                watched.owner = owner
            case Begun(jobs, others):
                watched.batch = jobs + others
                watched.deadline = time.monotonic() + self._order.seconds_for(len(jobs))
            case Committed():
                watched.batch, watched.deadline = (), None
                report(message)
            case Broken():
                self._error = self._error or message.error()

    def _renew_leases(self) -> None:
        lease, now = self._order.lease_seconds, time.monotonic()
        if now - self._renewed < lease / 3:
            return
        self._renewed = now
        owners = sorted(each.owner for each in self._watched if each.owner is not None)

        def renew(connection: Connection) -> None:
            for owner in owners:
                queue.renew(connection, owner, lease)

        transact(beside(self._place.engine), renew)

    def _end_the_stuck(self, report: Callable[[Committed], None], stopping: bool) -> None:
        for each in list(self._watched):
            # What it has said meanwhile comes first: it may be done.
            if each.deadline is None or time.monotonic() < each.deadline or each.member.pipe.poll():
                continue
            # Blamed while it lives: once dead, another worker might find it first and take its jobs
            # back as those of someone who is gone, which are no evidence against them.
            self._blame(each, report, overran=True)
            each.member.kill()
            each.member.join()
            self._leave(each)
            self._forget(each)
            if not stopping:
                self._watched.append(self._start())

    def _bury(self, watched: _Watched, report: Callable[[Committed], None], stopping: bool) -> None:
        """A pipe was closed: the worker is done, or it died."""
        code = watched.member.join()
        self._leave(watched)
        self._error = self._error or watched.member.error
        if code == 0 or self._error:
            return
        held = self._blame(watched, report, overran=False)
        self._forget(watched)
        if not held:
            self._early_deaths += 1
        if self._early_deaths > _MAX_EARLY_DEATHS:
            self._error = WorkerError(
                f"workers die before they do anything (exit code {code}); is there enough memory?"
            )
        elif not stopping:
            self._watched.append(self._start())

    def _leave(self, watched: _Watched) -> None:
        watched.member.pipe.close()
        self._watched.remove(watched)

    def _blame(
        self, watched: _Watched, report: Callable[[Committed], None], *, overran: bool
    ) -> bool:
        """Quarantine what a dead worker held, or give it up; True if it held anything."""
        owner = watched.owner
        if owner is None:
            return False

        def blame(connection: Connection) -> tuple[bool, list[Job]]:
            held = owner in queue.owners(connection)
            if watched.batch:  # the others of its chunk were not at work
                queue.release(connection, owner, but=watched.batch)
            if overran:
                return held, queue.overran(connection, owner, self._order.item_seconds)
            return held, queue.crashed(connection, owner, _CRASHES)

        held, given_up = transact(self._place.engine, blame)
        reason = queue.TIMED_OUT if overran else queue.WORKER_CRASHED
        for job in given_up:
            report(_given_up(job, reason))
        return held

    def _forget(self, watched: _Watched) -> None:
        """It is dead: give back what it claimed after it was blamed, and strike it off."""
        if watched.owner is None:  # it died before it said its name, but may have left its lock
            self._place.clear_up_after_the_dead()
            return
        owner = watched.owner
        transact(self._place.engine, lambda connection: queue.release(connection, owner))
        self._place.bury(owner)

    def _tell_all_to_stop(self) -> None:
        for each in self._watched:
            try:
                each.member.pipe.send("stop")
            except OSError:
                continue  # it has just ended by itself; its pipe tells


def _given_up(job: Job, reason: str) -> Committed:
    return Committed(stage=job.stage, failures=[Failure(item_id=job.item_id, reason=reason)])
