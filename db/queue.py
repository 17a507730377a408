"""The job queue: the only place that changes a job's state.

    todo ──claim──▶ doing ──succeed──▶ succeeded
      ▲               ├─────fail─────▶ failed ──retry_failed──▶ todo
      ├──release, reap_expired, crashed (or failed)
      └──redo (the item itself has changed) from succeeded or failed

Every function works inside the caller's transaction, so that a stage's result, its job's end and
the next stage's job commit together. An owner is one process that can die on its own: whatever it
holds is given back or blamed together.

A job that was held when a process died is quarantined (its `crashes` is above 0): it is claimed
alone, by an owner that holds nothing else, when no other job of its stage is left. So the one
image that kills the decoder is found without taking its neighbours down.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db.errors import LeaseLostError
from db.models import Base, JobState, Stage
from db.writing import chunks, insert_new

WORKER_CRASHED = "worker_crashed"
"""The failure reason of a job whose worker process died."""

MAX_ERROR_CHARACTERS = 4000

_job = Base.metadata.tables["job"]
_c = _job.c


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed piece of work.

    Attributes:
        id: of the job.
        stage: what to do.
        item_id: what to do it to: see `Stage` for the table.
        attempts: how often it was claimed, this time included.
        crashes: how often a worker process died while holding it.
    """

    id: int
    stage: Stage
    item_id: int
    attempts: int
    crashes: int


class Pending(NamedTuple):
    """Whether there is unfinished work, of either kind."""

    todo: bool
    doing: bool


def enqueue(connection: Connection, stage: Stage, item_ids: Iterable[int]) -> int:
    """Ask for a stage's work on items; those asked for before, in whatever state, are left alone.

    Returns:
        The number of new jobs.
    """
    rows = ({"stage": stage, "item_id": item_id} for item_id in item_ids)
    return sum(len(insert_new(connection, _job, piece)) for piece in chunks(rows))


def claim(
    connection: Connection,
    stage: Stage,
    owner: str,
    limit: int,
    lease_seconds: float,
    now: float | None = None,
) -> list[Job]:
    """Take the oldest waiting jobs of a stage; nobody else gets them while the lease lasts.

    Quarantined jobs come one at a time, when nothing else of the stage is waiting and the owner
    holds nothing; until that one is finished, the owner gets nothing more. So an empty list does
    not mean that all is done: ask `pending`.

    Args:
        connection: in a transaction; commit it before the work begins.
        stage: what to claim.
        owner: a name of this process that no other process, past or present, has.
        limit: how many jobs at most.
        lease_seconds: how long to hold them; `renew` prolongs it.
        now: Unix time in seconds, for tests.

    Returns:
        The claimed jobs by id.
    """
    now = time.time() if now is None else now
    values = {
        "for_stage": stage,
        "claimer": owner,
        "until": now + lease_seconds,
        "at_most": limit,
    }
    rows = connection.execute(_CLAIM, values).all()
    if not rows and limit > 0:
        rows = connection.execute(_CLAIM_QUARANTINED, values).all()
    # The order of RETURNING is not defined.
    return sorted((Job(*row) for row in rows), key=lambda job: job.id)


def succeed(connection: Connection, jobs: Iterable[Job], owner: str) -> None:
    """End jobs whose results are written in this transaction.

    Raises:
        LeaseLostError: this owner no longer holds all of them; let it roll the results back.
    """
    ids = {job.id for job in jobs}
    finished_at = datetime.now(UTC)
    ended = 0
    for chunk in chunks(sorted(ids)):
        values = {"ids": chunk, "holder": owner, "ended_at": finished_at}
        ended += connection.execute(_SUCCEED, values).rowcount
    _require_held(len(ids), ended, owner)


def fail(connection: Connection, job: Job, owner: str, reason: str, error: str) -> None:
    """End a job that could not be done.

    Args:
        connection: in a transaction.
        job: as claimed.
        owner: who claimed it.
        reason: a stable machine-readable code such as ``truncated``.
        error: what is wrong, for a person; cut after `MAX_ERROR_CHARACTERS`.

    Raises:
        LeaseLostError: this owner no longer holds it.
    """
    ended = _fail(connection, job.id, owner, reason, error)
    _require_held(1, ended, owner)


def renew(
    connection: Connection, owner: str, lease_seconds: float, now: float | None = None
) -> int:
    """Prolong the lease of everything an owner holds, to `lease_seconds` from now.

    Returns:
        The number of jobs it holds.
    """
    now = time.time() if now is None else now
    statement = sa.update(_job).where(_held_by(owner)).values(lease_until=now + lease_seconds)
    return connection.execute(statement).rowcount


def release(connection: Connection, owner: str) -> int:
    """Give back what an owner holds, blaming no job: a clean stop, or a process long dead.

    Returns:
        The number of jobs given back.
    """
    return connection.execute(_give_back().where(_held_by(owner))).rowcount


def reap_expired(connection: Connection, now: float | None = None) -> int:
    """Give back all jobs whose lease has ended, blaming none.

    Returns:
        The number of jobs given back.
    """
    now = time.time() if now is None else now
    return connection.execute(_give_back().where(_IS_DOING, _c.lease_until < now)).rowcount


def crashed(connection: Connection, owner: str, max_solo_crashes: int = 2) -> list[Job]:
    """Give back, quarantined, what a process held that was seen to die.

    A job it held alone is given up, failed as `WORKER_CRASHED`, when this is at least its
    `max_solo_crashes`-th crash, those in company counted; otherwise it gets another chance.

    Returns:
        The jobs given up: one or none.
    """
    query = (
        sa.select(_c.id, _c.stage, _c.item_id, _c.attempts, _c.crashes)
        .where(_held_by(owner))
        .with_for_update()
    )
    held = [Job(*row) for row in connection.execute(query)]
    blame = sa.update(_job).where(_held_by(owner)).values(crashes=_c.crashes + 1)
    connection.execute(blame)
    if len(held) == 1 and held[0].crashes >= max_solo_crashes - 1:
        job = replace(held[0], crashes=held[0].crashes + 1)
        error = f"the worker process died {job.crashes} times while working on it"
        _fail(connection, job.id, owner, WORKER_CRASHED, error)
        return [job]
    release(connection, owner)
    return []


def owners(connection: Connection) -> list[str]:
    """Everybody who holds a job, in alphabetical order."""
    query = sa.select(_c.owner).where(_IS_DOING).distinct().order_by(_c.owner)
    return list(connection.scalars(query))


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
    statement = (
        sa.update(_job)
        .where(_c.stage.in_(Stage if stage is None else [stage]), _c.state == JobState.FAILED)
        .values(state=JobState.TODO, reason=None, error=None, crashes=0, finished_at=None)
    )
    if item_ids is None:
        return connection.execute(statement).rowcount
    return sum(
        connection.execute(statement.where(_c.item_id.in_(ids))).rowcount
        for ids in chunks(item_ids)
    )


def redo(connection: Connection, stage: Stage, item_ids: Iterable[int]) -> int:
    """Do a stage again for items that have changed, whether it had succeeded or failed.

    Returns:
        The number of jobs that will be done again; those waiting or being done are left alone.
    """
    finished = [JobState.SUCCEEDED, JobState.FAILED]
    statement = (
        sa.update(_job)
        .where(_c.stage == stage, _c.state.in_(finished))
        .values(state=JobState.TODO, reason=None, error=None, crashes=0, finished_at=None)
    )
    return sum(
        connection.execute(statement.where(_c.item_id.in_(ids))).rowcount
        for ids in chunks(item_ids)
    )


def counts(connection: Connection) -> dict[Stage, dict[JobState, int]]:
    """The number of jobs by stage and state, zeros included. Reads the whole index."""
    result = {stage: dict.fromkeys(JobState, 0) for stage in Stage}
    query = sa.select(_c.stage, _c.state, sa.func.count()).group_by(_c.stage, _c.state)
    for stage, state, number in connection.execute(query):
        result[stage][state] = number
    return result


def pending(connection: Connection, stages: Sequence[Stage]) -> Pending:
    """Whether any job of these stages is waiting, and whether any is being done.

    Looks at one index entry per stage and state, so it may be asked often on a table of any size.
    """
    row = connection.execute(_PENDING, {"of_stages": list(stages)}).one()
    return Pending(todo=bool(row.todo), doing=bool(row.doing))


def _fail(connection: Connection, job_id: int, owner: str, reason: str, error: str) -> int:
    # File names reach error texts, and may hold what no database stores as text.
    text = error.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    values = {
        "failed_id": job_id,
        "holder": owner,
        "ended_at": datetime.now(UTC),
        "code": reason,
        "text": text[:MAX_ERROR_CHARACTERS],
    }
    return connection.execute(_FAIL, values).rowcount


def _require_held(wanted: int, ended: int, owner: str) -> None:
    if ended != wanted:
        raise LeaseLostError(
            f"{owner} no longer holds {wanted - ended} of {wanted} jobs it has finished, so their "
            "results are dropped; they will be done again. If this repeats, lengthen the lease"
        )


# All stages are named so that the index (stage, state, id) serves; few jobs are held at a time.
_IS_DOING = sa.and_(_c.stage.in_(list(Stage)), _c.state == JobState.DOING)


def _held_by(owner: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    return sa.and_(_IS_DOING, _c.owner == owner)


def _give_back() -> sa.Update:
    return sa.update(_job).values(state=JobState.TODO, owner=None, lease_until=None)


def _claim(*, quarantined: bool) -> sa.Executable:
    """One statement for SQLite, which ignores the lock clause, and PostgreSQL.

    Expired leases are not looked for here: an OR in it would cost the index (6-19 times slower).
    """
    claimer: sa.BindParameter[str] = sa.bindparam("claimer")
    held = sa.select(sa.literal(1)).where(_held_by(claimer))
    if quarantined:
        kind, obstacle, limit = _c.crashes > 0, held, sa.literal(1)
    else:
        kind, obstacle, limit = _c.crashes == 0, held.where(_c.crashes > 0), sa.bindparam("at_most")
    picked = (
        sa.select(_c.id)
        .where(_c.stage == sa.bindparam("for_stage"), _c.state == JobState.TODO, kind)
        .where(~obstacle.correlate(None).exists())
        .order_by(_c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .correlate(None)
    )
    return (
        sa.update(_job)
        .where(_c.id.in_(picked))
        .values(
            state=JobState.DOING,
            owner=claimer,
            lease_until=sa.bindparam("until"),
            attempts=_c.attempts + 1,
        )
        .returning(_c.id, _c.stage, _c.item_id, _c.attempts, _c.crashes)
    )


# Built once: building them again costs more than running them.
_CLAIM = _claim(quarantined=False)
_CLAIM_QUARANTINED = _claim(quarantined=True)
_END = (
    sa.update(_job)
    .where(_c.state == JobState.DOING, _c.owner == sa.bindparam("holder"))
    .values(owner=None, lease_until=None, finished_at=sa.bindparam("ended_at"))
)
_SUCCEED = _END.where(_c.id.in_(sa.bindparam("ids", expanding=True))).values(
    state=JobState.SUCCEEDED
)
_FAIL = _END.where(_c.id == sa.bindparam("failed_id")).values(
    state=JobState.FAILED, reason=sa.bindparam("code"), error=sa.bindparam("text")
)
_OF_STAGES = _c.stage.in_(sa.bindparam("of_stages", expanding=True))
_PENDING = sa.select(
    *(
        sa.exists(sa.select(sa.literal(1)).where(_OF_STAGES, _c.state == state)).label(state.value)
        for state in (JobState.TODO, JobState.DOING)
    )
)
