"""Worker processes: started, listened to, replaced when they die, stopped cleanly.

Processes, not threads: detection is thousands of small torch calls, which threads of one Python
process would do one after the other.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from db import queue
from pipelines.ingest.tally import Tally
from pipelines.ingest.worker import Broken, Hello, work_in_process
from pipelines.workspace.errors import WorkerError
from pipelines.workspace.workspace import Workspace

_POLL_SECONDS = 0.2
# A worker that dies before it holds anything will die again; one that dies of an item is replaced,
# since the queue quarantines what it held.
_MAX_EARLY_DEATHS = 3


@dataclass
class _Member:
    process: BaseProcess
    pipe: Connection
    owner: str | None = None


class WorkerPool:
    """Runs a number of worker processes on one workspace until its queue is empty."""

    def __init__(self, workspace: Workspace, workers: int, threads: int) -> None:
        """Prepare a pool.

        Args:
            workspace: the parent's own; each worker opens another.
            workers: number of processes.
            threads: of the numerical libraries, in each.
        """
        self._workspace = workspace
        self._workers = workers
        self._threads = threads
        self._context = multiprocessing.get_context("spawn")
        self._members: list[_Member] = []
        self._early_deaths = 0
        self._broken: Broken | None = None

    def run(self, stop: Callable[[], bool], report: Callable[[Tally], None]) -> None:
        """Work until no job is left or `stop` says so.

        Args:
            stop: asked several times a second.
            report: told what each batch committed.

        Raises:
            WorkerError: the workers cannot go on; what they committed stays.
        """
        self._members = [self._start() for _ in range(self._workers)]
        stopping = False
        try:
            while self._members:
                if not stopping and (stop() or self._broken):
                    stopping = True
                    self._tell_all_to_stop()
                pipes = {member.pipe: member for member in self._members}
                for pipe in wait(list(pipes), timeout=_POLL_SECONDS):
                    self._listen(pipes[pipe], report, stopping)  # type: ignore[index]
        finally:
            for member in self._members:
                member.process.kill()
        if self._broken:
            raise WorkerError(self._broken.message) from RuntimeError(self._broken.details)

    def _start(self) -> _Member:
        ours, theirs = self._context.Pipe()
        arguments = (self._workspace.paths.root, self._workspace.settings, self._threads, theirs)
        process = self._context.Process(target=work_in_process, args=arguments, daemon=True)
        with _stop_signals_held_back():
            process.start()
        theirs.close()
        return _Member(process, ours)

    def _listen(self, member: _Member, report: Callable[[Tally], None], stopping: bool) -> None:
        try:
            message = member.pipe.recv()
        except (EOFError, OSError):
            self._bury(member, stopping)
            return
        match message:
            case Hello(owner):
                member.owner = owner
            case Broken():
                self._broken = self._broken or message
            case Tally():
                report(message)

    def _bury(self, member: _Member, stopping: bool) -> None:
        """A pipe was closed: the worker is done, or it died."""
        member.process.join()
        member.pipe.close()
        self._members.remove(member)
        if member.process.exitcode == 0 or self._broken:
            return
        if not self._blame(member):
            self._early_deaths += 1
        if self._early_deaths > _MAX_EARLY_DEATHS:
            code = member.process.exitcode
            self._broken = Broken(
                f"workers die before they do anything (exit code {code}); is there enough memory?",
                "",
            )
        elif not stopping:
            self._members.append(self._start())

    def _blame(self, member: _Member) -> bool:
        """Quarantine what a dead worker held; True if it held anything."""
        if member.owner is None:
            return False
        with self._workspace.engine.begin() as connection:
            held = member.owner in queue.owners(connection)
            queue.crashed(connection, member.owner)
        self._workspace.bury(member.owner)
        return held

    def _tell_all_to_stop(self) -> None:
        for member in self._members:
            try:
                member.pipe.send("stop")
            except OSError:
                continue  # it has just ended by itself; its pipe tells


@contextmanager
def _stop_signals_held_back() -> Iterator[None]:
    """Processes started within never see Ctrl-C or SIGTERM, not even while they import modules.

    Both reach the whole process group (a terminal's, a service's), but only the parent decides
    what they mean; there they come when this is left. It ends workers by other means.
    """
    # Started now, since its start would let the signal through again.
    resource_tracker.ensure_running()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
