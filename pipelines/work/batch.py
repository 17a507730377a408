"""Running one claimed batch: fetch what its stage needs, run the stage, commit the outcome.

Blobs are written before the transaction that names them; everything else of a batch is one
transaction. An item that fails takes no neighbour with it.
"""

from collections.abc import Sequence
from typing import Any

from db import Job, LeaseLostError, queue, reader
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
    with reader(place.engine).begin() as connection:
        items = work.fetch(connection, jobs)
    wanted = [job for job in jobs if job.item_id in items]
    outcomes = dict(
        zip(
            (job.id for job in wanted),
            work.run([items[job.item_id] for job in wanted]) if wanted else (),
            strict=True,
        )
    )
    try:
        return _commit(place, work, jobs, outcomes)
    except LeaseLostError:
        with place.engine.begin() as connection:
            queue.release(connection, place.owner)
        return Committed(stage=work.stage)


def _commit(
    place: Workplace, work: StageWork[Any, Any], jobs: Sequence[Job], outcomes: dict[int, Any]
) -> Committed:
    """Results, ends of jobs and next jobs, all or nothing."""
    done: list[Job] = []
    told: list[object] = []
    failures: list[Failure] = []
    with place.engine.begin() as connection:
        for job in jobs:
            outcome = outcomes.get(job.id)
            try:
                if isinstance(outcome, ItemError):
                    raise outcome
                if job.id in outcomes:
                    told.append(work.save(connection, job.item_id, outcome))
            except ItemError as error:
                queue.fail(connection, job, place.owner, error.reason, str(error))
                failures.append(Failure(item_id=job.item_id, reason=error.reason))
            else:
                done.append(job)
        queue.succeed(connection, done, place.owner)
    place.settle()
    return Committed(
        stage=work.stage,
        done=len(done),
        told=[each for each in told if each is not None],
        failures=failures,
    )
