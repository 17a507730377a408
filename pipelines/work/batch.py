"""Running one claimed batch: fetch what its stage needs, run the stage, commit the outcome.

Blobs are written before the transaction that names them; everything else of a batch is one
transaction. An item that fails takes no neighbour with it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection

from db import Job, LeaseLostError, beside, queue, reader, transact
from pipelines.work.stage import Committed, Failure, StageWork, Workplace
from pipelines.workspace.errors import ItemError


def run_batch(place: Workplace, work: StageWork[Any, Any], jobs: Sequence[Job]) -> Committed:
    """Run one batch of jobs of one stage and commit what came of it.

    Args:
        place: of this worker alone.
        work: the jobs' stage.
        jobs: claimed by this worker.

    Returns:
        What was committed: nothing if the lease was lost, since others do the work then.

    Raises:
        PipelineError: models or blobs cannot be loaded or written: no item's fault.
    """
    items = transact(reader(place.engine), lambda connection: work.fetch(connection, jobs))
    wanted = [job for job in jobs if job.item_id in items]
    outcomes = dict(
        zip(
            (job.id for job in wanted),
            work.run([items[job.item_id] for job in wanted]) if wanted else (),
            strict=True,
        )
    )
    engine = beside(place.engine)
    in_turn = jobs if engine.dialect.name == "sqlite" else _in_one_order(work, jobs, outcomes)
    commit = partial(_commit, place.owner, work, in_turn, outcomes)
    try:
        committed = transact(engine, commit)
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
    done: list[Job] = []
    told: list[object] = []
    failures: list[Failure] = []
    # First of all: others may have done them meanwhile, or an attempt that was cut off at its end.
    queue.require_held(connection, jobs, owner)
    for job in jobs:
        outcome = outcomes.get(job.id)
        try:
            if isinstance(outcome, ItemError):
                raise outcome
            if job.id in outcomes:
                told.append(work.save(connection, job.item_id, outcome))
        except ItemError as error:
            queue.fail(connection, job, owner, error.reason, str(error))
            failures.append(Failure(item_id=job.item_id, reason=error.reason))
        else:
            done.append(job)
    queue.succeed(connection, done, owner)
    return Committed(
        stage=work.stage,
        done=len(done),
        told=[each for each in told if each is not None],
        failures=failures,
    )
