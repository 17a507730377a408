"""Workers on the machines of a cluster: placed, listened to, replaced when machines come and go.

Only settings and "work" go out, and only tallies come back. Pictures go from their bucket to the
worker, blobs from there to the store, rows to the database, which knows who holds what: a worker
that dies with its machine says nothing any more, and its work is taken from it by those that see
its heart stand still.
"""

import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from pipelines.work.ray_access import Machine, actor_class, machines
from pipelines.work.stage import Committed, Order, Workplace
from pipelines.workspace.errors import WorkerError

LEASE_SECONDS: Final = 60.0
"""At most: of a machine that is gone nobody knows whether it comes back."""

CHUNK_SECONDS: Final = 5.0
"""What is claimed and committed at once: many workers share one database."""

_POLL_SECONDS: Final = 0.2
_NEWS_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 2.0
_WAIT_SECONDS: Final = 300.0
_GRACE_SECONDS: Final = 10.0
_MAX_EARLY_DEATHS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Posts:
    """Where workers are wanted.

    Attributes:
        workers: how many; None: one a core of the cluster, or a GPU.
        on_gpus: where there are GPUs, each worker has one, and machines without are left alone.
    """

    workers: int | None
    on_gpus: bool

    def count(self, found: list[Machine]) -> tuple[int, bool]:
        """How many workers these machines are worth, and whether each has a GPU."""
        gpus = sum(each.gpus for each in found) if self.on_gpus else 0
        room = gpus or sum(each.cores for each in found)
        return (room if self.workers is None else min(room, self.workers)), gpus > 0

    def threads(self, found: list[Machine], *, on_gpus: bool) -> int:
        """Cores that a worker has for itself."""
        if not on_gpus:
            return 1
        return max(1, min(each.cores // each.gpus for each in found if each.gpus))


@dataclass
class _Worker:
    """An actor, what it was asked last, and whether it has done anything."""

    actor: Any
    news: Any
    name: Any
    did_something: bool = False
    stopped: bool = False


class Fleet:
    """Runs workers on a cluster until a place's jobs are done."""

    def __init__(self, ray: Any, place: Workplace, order: Order, posts: Posts) -> None:
        """Prepare them.

        Args:
            ray: joined.
            place: the driver's own.
            order: what each is told; its `open` makes a workplace on any machine.
            posts: how many there shall be.
        """
        self._ray = ray
        self._place = place
        lease = min(order.lease_seconds, LEASE_SECONDS)
        self._order = replace(order, lease_seconds=lease, chunk_seconds=CHUNK_SECONDS)
        self._posts = posts
        self._class = actor_class()
        self._wanted = self._class.versions()  # type: ignore[attr-defined]
        self._workers: list[_Worker] = []
        self._early_deaths = 0
        self._all_done_at: float | None = None
        self._error: Exception | None = None
        self._looked = float("-inf")
        self._missed: float | None = None

    def run(
        self,
        stop: Callable[[], bool],
        report: Callable[[Committed], None],
        say: Callable[[str], None],
    ) -> None:
        """Work until no job is left or `stop` says so.

        Args:
            stop: asked several times a second.
            report: told what each batch committed.
            say: told what whoever waits should know.

        Raises:
            WorkerError: a worker cannot go on, or there is no machine for one.
        """
        try:
            while True:
                stopping = stop() or self._error is not None
                if stopping:
                    self._tell_all_to_stop()
                elif self._all_done_at is None:
                    self._look_around(say)
                is_done = self._all_done_at is not None
                if is_done and time.monotonic() - (self._all_done_at or 0) > _GRACE_SECONDS:
                    break  # whoever is silent now was stopped, and its work done by others
                if not self._workers and (stopping or is_done):
                    break
                self._listen(report)
        finally:
            for each in self._workers:
                self._end(each)
        if self._error:
            raise self._error

    def _look_around(self, say: Callable[[str], None]) -> None:
        """Bury the dead, and start workers where there is room."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        first, self._looked = self._looked == float("-inf"), now
        self._place.clear_up_after_the_dead()
        found = machines(self._ray)
        room, on_gpus = self._posts.count(found)
        if room or self._workers:
            self._missed = None
        elif first:
            raise WorkerError(
                "the Ray cluster has no core to give: start a machine with `ray start "
                "--address=HEAD:6379`, or let the head give some (--num-cpus)"
            )
        else:
            self._wait_for_a_machine(now, say)
        if first:
            what = "GPUs" if on_gpus else "cores"
            say(f"{room} workers on {what} of {len(found)} machines")
        for _ in range(room - len(self._workers)):
            self._start(found, on_gpus=on_gpus)

    def _wait_for_a_machine(self, now: float, say: Callable[[str], None]) -> None:
        if self._missed is None:
            self._missed = now
            say("no machine is left; waiting for one")
        elif now - self._missed > _WAIT_SECONDS:
            raise WorkerError(
                f"no machine has come for {_WAIT_SECONDS:.0f} s after the last one was lost; what "
                "was done stays: run the same command again"
            )

    def _start(self, found: list[Machine], *, on_gpus: bool) -> None:
        order = replace(
            self._order,
            threads=self._posts.threads(found, on_gpus=on_gpus),
            gpu=0 if on_gpus else None,
        )
        needs = {"num_gpus": 1, "num_cpus": 0} if on_gpus else {"num_cpus": 1}
        made = self._ray.remote(self._class).options(max_concurrency=4, **needs)
        actor = made.remote(self._wanted, pickle.dumps(order))
        self._workers.append(_Worker(actor, actor.news.remote(_NEWS_SECONDS), actor.name.remote()))

    def _listen(self, report: Callable[[Committed], None]) -> None:
        asked = {each.news: each for each in self._workers}
        if not asked:
            time.sleep(_POLL_SECONDS)
            return
        ready, _ = self._ray.wait(list(asked), num_returns=1, timeout=_POLL_SECONDS)
        if ready:  # and whoever else is
            ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        for ref in ready:
            self._hear(asked[ref], report)

    def _hear(self, worker: _Worker, report: Callable[[Committed], None]) -> None:
        try:
            told = self._ray.get(worker.news)
        except self._ray.exceptions.ActorUnavailableError:
            worker.news = worker.actor.news.remote(_NEWS_SECONDS)
            return
        except self._ray.exceptions.RayError as error:
            self._lose(worker, error)
            return
        for kind, what in told:
            match kind:
                case "committed":
                    worker.did_something = True
                    self._early_deaths = 0
                    report(what)
                case "broken":
                    self._error = self._error or WorkerError(f"{self._name(worker)}: {what}")
                case "ended":
                    self._end(worker)
                    self._workers.remove(worker)
                    if not worker.stopped and self._error is None:
                        self._all_done_at = self._all_done_at or time.monotonic()
                    return
        worker.news = worker.actor.news.remote(_NEWS_SECONDS)

    def _lose(self, worker: _Worker, error: Exception) -> None:
        """A machine is gone, or an actor: what it held is given back when its heart is missed."""
        self._workers.remove(worker)
        if worker.did_something or worker.stopped or "node" in str(error).lower():
            return
        self._early_deaths += 1
        if self._early_deaths > _MAX_EARLY_DEATHS:
            told = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self._error = WorkerError(
                f"workers of the cluster die before they do anything ({told}); is there enough "
                "memory?"
            )

    def _name(self, worker: _Worker) -> str:
        try:
            return str(self._ray.get(worker.name, timeout=_NEWS_SECONDS))
        except self._ray.exceptions.RayError:
            return "a machine of the cluster"

    def _tell_all_to_stop(self) -> None:
        for each in self._workers:
            if not each.stopped:
                each.stopped = True
                each.actor.stop.remote()

    def _end(self, worker: _Worker) -> None:
        # It has nothing to put in order any more, or shall not.
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(worker.actor)
