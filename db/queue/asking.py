"""Asking for work: new jobs, and finished ones that are to be done again."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db.models import JobState, Stage
from db.queue.rows import c, in_state, job
from db.writing import chunks, insert_new

_AFRESH = {
    "state": JobState.TODO,
    "reason": None,
    "error": None,
    "crashes": 0,
    "losses": 0,
    "finished_at": None,
}


def enqueue(
    connection: Connection, stage: Stage, item_ids: Iterable[int], argument: str | None = None
) -> int:
    """Ask for a stage's work on items; those asked for before, in whatever state, are left alone.

    Args:
        connection: in a transaction.
        stage: what to do.
        item_ids: to what.
        argument: what else the work depends on.

    Returns:
        The number of new jobs.
    """
    rows = ({"stage": stage, "item_id": each, "argument": argument} for each in item_ids)
    return sum(len(insert_new(connection, job, piece)) for piece in chunks(rows))


def ask(
    connection: Connection,
    stage: Stage,
    item_ids: Iterable[int],
    argument: str | None,
    *,
    retry: bool = False,
) -> None:
    """Ask for a stage's work on items whose results are missing, by this argument.

    Jobs under way stay as they are, those that wait take the argument. Succeeded ones are done
    again, for whoever asks lacks their result; failed ones only by another argument, or with
    `retry`.

    Args:
        connection: in a transaction.
        stage: what to do.
        item_ids: to what.
        argument: what else the work depends on.
        retry: do failed ones again, too.
    """
    is_other = c.argument.is_distinct_from(argument)
    is_failed = in_state(JobState.FAILED)
    again = sa.or_(c.state == JobState.SUCCEEDED, is_failed if retry else is_failed & is_other)
    for ids in chunks(item_ids):
        enqueue(connection, stage, ids, argument)
        of_items = sa.update(job).where(c.stage == stage, c.item_id.in_(ids))
        connection.execute(of_items.where(again).values({**_AFRESH, "argument": argument}))
        redirected = of_items.where(in_state(JobState.TODO), is_other)
        connection.execute(redirected.values(argument=argument))


def withdraw(connection: Connection, stage: Stage, but: Collection[int]) -> int:
    """Forget the waiting jobs of a stage that nobody asks for any more.

    Args:
        connection: in a transaction.
        stage: of the jobs.
        but: items that are still asked for.

    Returns:
        The number of jobs that will not be done.
    """
    is_waiting = sa.and_(c.stage == stage, in_state(JobState.TODO))
    unwanted = set(connection.scalars(sa.select(c.item_id).where(is_waiting))).difference(but)
    return sum(
        connection.execute(sa.delete(job).where(is_waiting, c.item_id.in_(ids))).rowcount
        for ids in chunks(sorted(unwanted))
    )


def forget(connection: Connection, stage: Stage) -> int:
    """Remove all jobs of a stage that nobody holds: what came of them stands elsewhere.

    Returns:
        The number of jobs that were removed.
    """
    is_held = in_state(JobState.DOING)
    return connection.execute(sa.delete(job).where(c.stage == stage, ~is_held)).rowcount


def retry_failed(
    connection: Connection, stage: Stage | None = None, item_ids: Iterable[int] | None = None
) -> int:
    """Give failed jobs a fresh start: reason, error and crashes are forgotten.

    Args:
        connection: in a transaction.
        stage: only this stage's jobs; default all.
        item_ids: only these items of that stage; default all.

    Returns:
        The number of jobs that will be done again.

    Raises:
        ValueError: item ids without a stage, which say nothing.
    """
    if item_ids is not None and stage is None:
        raise ValueError("item ids mean nothing without a stage")
    stages = Stage if stage is None else [stage]
    statement = sa.update(job).where(c.stage.in_(stages), in_state(JobState.FAILED))
    statement = statement.values(_AFRESH)
    if item_ids is None:
        return connection.execute(statement).rowcount
    return sum(
        connection.execute(statement.where(c.item_id.in_(ids))).rowcount for ids in chunks(item_ids)
    )


def redo(connection: Connection, stage: Stage, item_ids: Iterable[int]) -> int:
    """Do a stage again for items that have changed, whether it had succeeded or failed.

    Returns:
        The number of jobs that will be done again; those waiting or being done are left alone.
    """
    finished = [JobState.SUCCEEDED, JobState.FAILED]
    statement = sa.update(job).where(c.stage == stage, c.state.in_(finished)).values(_AFRESH)
    return sum(
        connection.execute(statement.where(c.item_id.in_(ids))).rowcount for ids in chunks(item_ids)
    )
