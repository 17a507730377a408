"""A batch that waits for other machines, run beside those that compute.

A bucket's server answers after a while, whatever is asked. So while a worker is at a batch that has
its files already, a thread of it fetches those of the next one. That one is claimed like any other,
and what came of it is committed by the worker itself, between two batches: a file that cannot be
read is its own photo's failure, then.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from db import Job
from pipelines.work.batch import commit, fetched, ran
from pipelines.work.chunks import ChunkSizes
from pipelines.work.stage import Committed, StageWork, Workplace


@dataclass(frozen=True)
class _UnderWay:
    work: StageWork[Any, Any]
    jobs: Sequence[Job]
    outcomes: Future[dict[int, Any]]


class Ahead:
    """The one chunk of a worker that is run ahead of its turn, if there is one."""

    def __init__(self, place: Workplace, sizes: ChunkSizes) -> None:
        """Nothing is under way.

        Args:
            place: of the worker.
            sizes: learn how long chunks take.
        """
        self._place, self._sizes = place, sizes
        self._thread = ThreadPoolExecutor(1, "ahead")
        self._under_way: _UnderWay | None = None

    def __enter__(self) -> "Ahead":
        """Be ready."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Let the thread end; what was not committed is given back with all that is held."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    @property
    def jobs(self) -> tuple[int, ...]:
        """Ids of those under way."""
        return tuple(job.id for job in self._under_way.jobs) if self._under_way else ()

    @property
    def work(self) -> StageWork[Any, Any] | None:
        """Whose they are."""
        return self._under_way.work if self._under_way else None

    @property
    def is_done(self) -> bool:
        """Whether something is there to be committed without waiting."""
        return self._under_way is not None and self._under_way.outcomes.done()

    def begin(self, work: StageWork[Any, Any], jobs: Sequence[Job]) -> None:
        """Run a chunk's batches on the thread.

        Args:
            work: its stage, which waits; nobody else runs it meanwhile.
            jobs: claimed by this worker.
        """
        items = fetched(self._place, work, jobs)

        def run() -> dict[int, Any]:
            with self._sizes.timed(work, len(jobs)):
                return ran(work, jobs, items, lambda ids: None)

        self._under_way = _UnderWay(work, jobs, self._thread.submit(run))

    def end(self, begin: Callable[[tuple[int, ...]], None]) -> Committed | None:
        """Wait for what is under way and commit it; None: nothing is.

        Args:
            begin: told the ids of its jobs if it has to be waited for.

        Raises:
            PipelineError: as `run_chunk`.
        """
        if self._under_way is None:
            return None
        it = self._under_way
        if not it.outcomes.done():
            begin(self.jobs)
        outcomes = it.outcomes.result()
        self._under_way = None
        return commit(self._place, it.work, it.jobs, outcomes)
