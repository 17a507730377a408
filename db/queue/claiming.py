"""Claiming jobs, ending them, and asking how things stand."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db.among import among_given
from db.errors import LeaseLostError
from db.models import JobState, Stage
from db.queue.rows import (
    END,
    IS_DOING,
    JOB_COLUMNS,
    Job,
    c,
    end_failed,
    give_back,
    held_by,
    in_state,
    moment,
    told_now,
)
from db.queue.rows import job as table
from db.writing import chunks


class Pending(NamedTuple):
    """Whether there is unfinished work, of either kind."""

    todo: bool
    doing: bool


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
        now: Unix time in seconds, for tests; None: by the database server's clock, or, where there
            is no server, by this machine's.

    Returns:
        The claimed jobs by id.
    """
    values = {
        "for_stage": stage,
        "claimer": owner,
        "lease": lease_seconds,
        "at_most": limit,
        **told_now(connection, now),
    }
    plain, quarantined = _CLAIMS[connection.dialect.name]
    rows = connection.execute(plain, values).all()
    if not rows and limit > 0:
        rows = connection.execute(quarantined, values).all()
    # The order of RETURNING is not defined.
    return sorted((Job(*row) for row in rows), key=lambda job: job.id)


def require_held(connection: Connection, jobs: Iterable[Job], owner: str) -> None:
    """Refuse to write results that others may have written meanwhile.

    Raises:
        LeaseLostError: this owner no longer holds all of these jobs.
    """
    ids = {job.id for job in jobs}
    held = sum(
        connection.execute(_HELD, {"ids": chunk, "holder": owner}).scalar_one()
        for chunk in chunks(sorted(ids))
    )
    _require_held(len(ids), held, owner)


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
    ended = end_failed(connection, job.id, owner, reason, error)
    _require_held(1, ended, owner)


def renew(
    connection: Connection, owner: str, lease_seconds: float, now: float | None = None
) -> int:
    """Prolong the lease of everything an owner holds, to `lease_seconds` from now.

    Returns:
        The number of jobs it holds.
    """
    until = moment(connection.dialect.name) + lease_seconds
    statement = sa.update(table).where(held_by(owner)).values(lease_until=until)
    return connection.execute(statement, told_now(connection, now)).rowcount


def release(connection: Connection, owner: str, but: Collection[int] = ()) -> int:
    """Give back what an owner holds, blaming no job: a clean stop.

    Args:
        connection: in a transaction.
        owner: who holds it.
        but: ids of jobs that it keeps, a few.

    Returns:
        The number of jobs given back.
    """
    given = give_back().where(held_by(owner))
    if but:
        given = given.where(c.id.not_in(but))
    return connection.execute(given).rowcount


def owners(connection: Connection) -> list[str]:
    """Everybody who holds a job, in alphabetical order."""
    query = sa.select(c.owner).where(IS_DOING).distinct().order_by(c.owner)
    return list(connection.scalars(query))


def counts(connection: Connection) -> dict[Stage, dict[JobState, int]]:
    """The number of jobs by stage and state, zeros included. Reads the whole index.

    Jobs of stages that only a newer version knows are left out.
    """
    result = {stage: dict.fromkeys(JobState, 0) for stage in Stage}
    query = sa.select(c.stage, c.state, sa.func.count()).group_by(c.stage, c.state)
    for stage, state, number in connection.execute(query):
        if stage in result:
            result[stage][state] = number
    return result


def pending(connection: Connection, stages: Sequence[Stage]) -> Pending:
    """Whether any job of these stages is waiting, and whether any is being done.

    Looks at one index entry per stage and state, so it may be asked often on a table of any size.
    """
    row = connection.execute(_PENDING, {"of_stages": list(stages)}).one()
    return Pending(todo=bool(row.todo), doing=bool(row.doing))


def waiting(connection: Connection, stages: Sequence[Stage], at_most: int) -> int:
    """How many jobs of these stages wait; of more than `at_most`, that."""
    some = sa.select(sa.literal(1)).where(c.stage.in_(stages), in_state(JobState.TODO))
    counted = sa.select(sa.func.count()).select_from(some.limit(at_most).subquery())
    return int(connection.execute(counted).scalar_one())


def _require_held(wanted: int, ended: int, owner: str) -> None:
    if ended != wanted:
        raise LeaseLostError(
            f"{owner} no longer holds {wanted - ended} of {wanted} jobs it has finished, so their "
            "results are dropped; they will be done again. If this repeats, lengthen the lease"
        )


def _claim(dialect: str, *, quarantined: bool) -> sa.Executable:
    """One statement for each kind of database; SQLite ignores the lock clause.

    Expired leases are not looked for here: an OR in it would cost the index (6-19 times slower).
    """
    claimer: sa.BindParameter[str] = sa.bindparam("claimer")
    held = sa.select(sa.literal(1)).where(held_by(claimer))
    if quarantined:
        kind, obstacle, limit = c.crashes > 0, held, sa.literal(1)
    else:
        kind, obstacle, limit = c.crashes == 0, held.where(c.crashes > 0), sa.bindparam("at_most")
    picked = (
        sa.select(c.id)
        .where(c.stage == sa.bindparam("for_stage"), in_state(JobState.TODO), kind)
        .where(~obstacle.correlate(None).exists())
        .order_by(c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .correlate(None)
    )
    # PostgreSQL may run a subquery of IN once a row, and would lock others each time.
    is_picked = (
        c.id.in_(picked)
        if dialect == "sqlite"
        else c.id == sa.any_(sa.func.array(picked.scalar_subquery()))
    )
    return (
        sa.update(table)
        .where(is_picked)
        .values(
            state=JobState.DOING,
            owner=claimer,
            lease_until=moment(dialect) + sa.bindparam("lease", type_=sa.Double()),
            attempts=c.attempts + 1,
        )
        .returning(*JOB_COLUMNS)
    )


# Built once: building them again costs more than running them.
_CLAIMS = {
    dialect: (_claim(dialect, quarantined=False), _claim(dialect, quarantined=True))
    for dialect in ("sqlite", "postgresql")
}
_IDS = among_given(c.id, "ids")
_HELD = sa.select(sa.func.count()).where(
    _IDS, in_state(JobState.DOING), c.owner == sa.bindparam("holder")
)
_SUCCEED = END.where(_IDS).values(state=JobState.SUCCEEDED)
_OF_STAGES = c.stage.in_(sa.bindparam("of_stages", expanding=True))
_PENDING = sa.select(
    *(
        sa.exists(sa.select(sa.literal(1)).where(_OF_STAGES, in_state(state))).label(state.value)
        for state in (JobState.TODO, JobState.DOING)
    )
)
