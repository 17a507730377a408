"""What the engine is told of a stage, and what it tells of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from sqlalchemy.engine import Connection, Engine

from db import Job, Stage
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings

In = TypeVar("In")
Out = TypeVar("Out")


class StageWork(ABC, Generic[In, Out]):
    """One entry of a stage table: how items of a stage are done.

    Values are plain: `run` sees neither the database nor who calls it, so that another engine can
    fetch and save at one place and run at another.
    """

    stage: ClassVar[Stage]

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """How many items are run at once; claimed and committed are one or several batches."""

    @property
    def waits(self) -> bool:
        """Whether `run` mostly waits for other machines, as far as the last items tell.

        Then a worker may run it on another thread, ahead of its turn and beside other stages; it
        puts nothing into the store.
        """
        return False

    def load(self) -> None:
        """Load what `run` computes with; called again, it does nothing.

        Raises:
            PipelineError: it cannot be had.
        """

    @abstractmethod
    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, In]:
        """What there is to do, by item; an item that is not among it wants nothing any more."""

    @abstractmethod
    def run(self, items: Sequence[In]) -> Sequence[Out | ItemError]:
        """Do it, in the order of the items; blobs are written here, before the rows that name them.

        Where one item fails, its place holds the `ItemError` and the others go on: see `attempt`
        and `through`.

        Raises:
            PipelineError: no item's fault; the run ends.
        """

    def contended(self, item_id: int, out: Out) -> str | int:
        """What other batches may write at the same moment, by what all of them sort it."""
        del out
        return item_id

    @abstractmethod
    def save(self, connection: Connection, item_id: int, out: Out) -> object:
        """Write an item's rows and ask for what comes next; in one transaction with its job's end.

        Other batches may be written beside this one, see `db.beside`: what is read to decide what
        is written is locked first (`db.lock_rows`). It may be called again if it was cut off.

        Returns:
            What whoever reports should know, plain; None: nothing.

        Raises:
            ItemError: what only the database knows speaks against it; nothing was written.
        """

    def save_all(
        self, connection: Connection, outs: Sequence[tuple[int, Out]]
    ) -> list[object | ItemError]:
        """Write the rows of many items, in their order; what came of each, as `save` tells it.

        A stage of which there are a great many items writes them with a few statements instead.
        """
        told: list[object | ItemError] = []
        for item_id, out in outs:
            try:
                told.append(self.save(connection, item_id, out))
            except ItemError as error:
                told.append(error)
        return told


def only(told: Sequence[object | ItemError]) -> object:
    """What came of the one item that was saved.

    Raises:
        ItemError: if it is one.
    """
    (each,) = told
    if isinstance(each, ItemError):
        raise each
    return each


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An item that failed for good, as its job says, too."""

    item_id: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Committed:
    """What became of a batch.

    Attributes:
        stage: of its jobs.
        done: how many items succeeded.
        told: what `StageWork.save` had to tell of them.
        failures: items that failed.
    """

    stage: Stage
    done: int = 0
    told: Sequence[object] = ()
    failures: Sequence[Failure] = ()


class Workplace(Protocol):
    """Where jobs are, and who works there: a workspace, or the folder of a run."""

    @property
    def engine(self) -> Engine:
        """The database that has the jobs."""
        ...

    @property
    def owner(self) -> str:
        """This process's name in jobs."""
        ...

    @property
    def settings(self) -> Settings:
        """What holds there."""
        ...

    def reopener(self) -> Callable[[], "Workplace"]:
        """Opens it for another worker; can be pickled."""
        ...

    def clear_up_after_the_dead(self) -> int:
        """Give back what killed processes held; the number of jobs."""
        ...

    def bury(self, name: str) -> None:
        """Forget a process that was seen to die, once its jobs are given back."""
        ...

    def settle(self) -> None:
        """Told after each batch: what was put into a store is named by committed rows, or never."""
        ...

    def close(self) -> None:
        """Give back what this process still holds and leave."""
        ...


StageTable = Callable[[Any, int], Sequence[StageWork[Any, Any]]]
"""Makes the stages of one worker, in the order of preference, from its workplace and the number of
threads that numerical libraries may use."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a worker is told; it travels to worker processes, so all of it can be pickled.

    Attributes:
        open: opens the workplace for one worker.
        table: makes the stages.
        threads: of the numerical libraries, in each worker.
        lease_seconds: how long jobs are held without a sign of life.
        item_seconds: how long an item may take.
        chunk_seconds: how long the batches may take that are claimed and committed together; 0:
            each is by itself.
        gpu: the one that a worker process is given; None: it may use any there is.
        preload: modules that worker processes share, if they can.
    """

    open: Callable[[], Workplace]
    table: StageTable
    threads: int
    lease_seconds: float
    item_seconds: float
    chunk_seconds: float = 0.0
    gpu: int | None = None
    preload: tuple[str, ...] = ()

    def seconds_for(self, items: int) -> float:
        """How long a batch may take: as long as one stuck item, and a tenth for each beside it."""
        return self.item_seconds * (1 + 0.1 * (items - 1))
