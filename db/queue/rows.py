"""What all parts of the queue say about the rows of the job table."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db.models import Base, JobState, Stage

MAX_ERROR_CHARACTERS = 4000

job = Base.metadata.tables["job"]
c = job.c


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed piece of work.

    Attributes:
        id: of the job.
        stage: what to do.
        item_id: what to do it to: see `Stage` for the table.
        attempts: how often it was claimed, this time included.
        crashes: how often a worker process died while holding it.
        argument: what else the work depends on, in words of its stage.
    """

    id: int
    stage: Stage
    item_id: int
    attempts: int
    crashes: int
    argument: str | None = None


JOB_COLUMNS = (c.id, c.stage, c.item_id, c.attempts, c.crashes, c.argument)
"""In the order of `Job`."""


def in_state(state: JobState) -> sa.ColumnElement[bool]:
    """Jobs in a state, which is written out: a prepared statement must find its partial index."""
    return c.state == sa.literal_column(f"'{state.value}'")


def moment(dialect: str) -> sa.ColumnElement[float]:
    """Now, in seconds of Unix time: the parameter `now`, or if that is null the server's clock."""
    now: sa.BindParameter[float] = sa.bindparam("now", type_=sa.Double())
    if dialect == "sqlite":
        return now
    clock: sa.ColumnElement[float] = sa.cast(
        sa.extract("epoch", sa.func.clock_timestamp()), sa.Double()
    )
    return sa.func.coalesce(now, clock)


def told_now(connection: Connection, now: float | None) -> dict[str, float | None]:
    """The parameter of `moment`: who shares a SQLite file shares its machine's clock."""
    if now is None and connection.dialect.name == "sqlite":
        return {"now": time.time()}
    return {"now": now}


# All stages are named so that the index (stage, state, id) serves; few jobs are held at a time.
# Those of a newer version's stages are left out with it: they are not ours to touch.
IS_DOING = sa.and_(c.stage.in_(list(Stage)), in_state(JobState.DOING))

END = (
    sa.update(job)
    .where(in_state(JobState.DOING), c.owner == sa.bindparam("holder"))
    .values(owner=None, lease_until=None, finished_at=sa.bindparam("ended_at"))
)
_FAIL = END.where(c.id == sa.bindparam("failed_id")).values(
    state=JobState.FAILED, reason=sa.bindparam("code"), error=sa.bindparam("text")
)


def held_by(owner: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """Jobs that an owner holds."""
    return sa.and_(IS_DOING, c.owner == owner)


def give_back() -> sa.Update:
    """Makes jobs wait again."""
    return sa.update(job).values(state=JobState.TODO, owner=None, lease_until=None)


def end_failed(connection: Connection, job_id: int, owner: str, reason: str, error: str) -> int:
    """Mark a held job failed; 0 if the owner does not hold it any more."""
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
