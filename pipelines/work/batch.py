"""Running what was claimed: fetch what its stage needs, run its batches, commit the outcome.

Blobs are written before the transaction that names them; everything else of a chunk is one
transaction. An item that fails takes no neighbour with it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection

from db import Job, LeaseLostError, beside, chunks, queue, reader, transact
from pipelines.work.stage import Committed, Failure, StageWork, Workplace
from pipelines.workspace.errors import ItemError


def run_chunk(
    place: Workplace,
    work: StageWork[Any, Any],
    jobs: Sequence[Job],
    begin: Callable[[tuple[int, ...]], None],
) -> Committed:
    """Run the batches of a chunk of jobs of one stage and commit what came of them.

    Args:
        place: of this worker alone.
        work: the jobs' stage.
        jobs: claimed by this worker.
        begin: told the ids of each batch's jobs before it is run.

    Returns:
        What was committed: nothing if the lease was lost, since others do the work then.

    Raises:
        PipelineError: models or blobs cannot be loaded or written: no item's fault.
    """
    begin(tuple(job.id for job in jobs[: work.batch_size]))
    items = fetched(place, work, jobs)
    return commit(place, work, jobs, ran(work, jobs, items, begin))


def fetched(place: Workplace, work: StageWork[Any, Any], jobs: Sequence[Job]) -> Mapping[int, Any]:
    """What there is to do, by item."""
    return transact(reader(place.engine), lambda connection: work.fetch(connection, jobs))


def ran(
    work: StageWork[Any, Any],
    jobs: Sequence[Job],
    items: Mapping[int, Any],
    begin: Callable[[tuple[int, ...]], None],
) -> dict[int, Any]:
    """What came of each job whose item still wants something, by its id: as `StageWork.run` says.

    Args:
        work: the jobs' stage.
        jobs: of a chunk.
        items: as `fetched`.
        begin: as `run_chunk`.
    """
    outcomes: dict[int, Any] = {}
    for batch in chunks((job for job in jobs if job.item_id in items), work.batch_size):
        ids = tuple(job.id for job in batch)
        begin(ids)
        outcomes |= zip(ids, work.run([items[job.item_id] for job in batch]), strict=True)
    return outcomes


def commit(
    place: Workplace,
    work: StageWork[Any, Any],
    jobs: Sequence[Job],
    outcomes: Mapping[int, Any],
) -> Committed:
    """Commit what came of a chunk; nothing if the lease was lost.

    Args:
        place: of this worker.
        work: the jobs' stage.
        jobs: claimed by this worker.
        outcomes: as `ran`.
    """
    engine = beside(place.engine)
    in_turn = jobs if engine.dialect.name == "sqlite" else _in_one_order(work, jobs, outcomes)
    write = partial(_commit, place.owner, work, in_turn, outcomes)
    try:
        committed = transact(engine, write)
    except LeaseLostError:
        transact(engine, lambda connection: queue.release(connection, place.owner))
        return Committed(stage=work.stage)
    place.settle()
    return committed


def _in_one_order(
    work: StageWork[Any, Any], jobs: Sequence[Job], outcomes: Mapping[int, Any]
) -> list[Job]:
    """Jobs in the order in which every batch writes: no two of them wait for each other.

    SQLite has one writer, and keeps the order in which things came.
    """

    def place_of(job: Job) -> tuple[bool, str | int]:
        outcome = outcomes.get(job.id)
        if outcome is None or isinstance(outcome, ItemError):
            return False, job.item_id
        return True, work.contended(job.item_id, outcome)

    return sorted(jobs, key=place_of)


def _commit(
    owner: str,
    work: StageWork[Any, Any],
    jobs: Sequence[Job],
    outcomes: Mapping[int, Any],
    connection: Connection,
) -> Committed:
    """Results, ends of jobs and next jobs, all or nothing."""
    # First of all: others may have done them meanwhile, or an attempt that was cut off at its end.
    queue.require_held(connection, jobs, owner)
    to_save = [
        (job.item_id, outcomes[job.id])
        for job in jobs
        if job.id in outcomes and not isinstance(outcomes[job.id], ItemError)
    ]
    saved = dict(zip((key for key, _ in to_save), work.save_all(connection, to_save), strict=True))
    done: list[Job] = []
    told: list[object] = []
    failures: list[Failure] = []
    for job in jobs:
        outcome = outcomes.get(job.id)
        if not isinstance(outcome, ItemError):
            outcome = saved.get(job.item_id)
        if isinstance(outcome, ItemError):
            queue.fail(connection, job, owner, outcome.reason, str(outcome))
            failures.append(Failure(item_id=job.item_id, reason=outcome.reason))
        else:
            done.append(job)
            told.append(outcome)
    queue.succeed(connection, done, owner)
    return Committed(
        stage=work.stage,
        done=len(done),
        told=[each for each in told if each is not None],
        failures=failures,
    )
