"""Taking jobs back from those who cannot finish them: the dead, the silent and the stuck.

Nobody knows which of the jobs that a process held was its end, so all of them are quarantined and
the guilty one shows itself when it is done alone. A process that was found dead long after (the
machine went down, somebody killed the run) is no evidence against its jobs, unless it happens to
the same jobs again and again.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db.queue.claiming import release
from db.queue.rows import (
    IS_DOING,
    JOB_COLUMNS,
    Job,
    c,
    end_failed,
    give_back,
    held_by,
    job,
    moment,
    told_now,
)

WORKER_CRASHED = "worker_crashed"
"""The failure reason of a job whose worker process died."""
TIMED_OUT = "timed_out"
"""The failure reason of a job that took longer than it may."""
GAVE_UP = "gave_up"
"""The failure reason of a job that was lost too often."""

MAX_LOSSES = 10
# Lost so often, a job is done alone, to take none down with it.
_SUSPICIOUS_LOSSES = 3


def reap_expired(
    connection: Connection,
    now: float | None = None,
    max_losses: int = MAX_LOSSES,
    of: Collection[str] | None = None,
) -> int:
    """Give back jobs whose lease has ended, blaming those only that were lost too often.

    Args:
        connection: in a transaction.
        now: Unix time in seconds, for tests.
        max_losses: a job that was lost so often fails as `GAVE_UP`.
        of: only what these owners hold, who were found silent: clocks of two machines differ, and
            go back; None: whoever holds them.

    Returns:
        The number of jobs given back.
    """
    expired = sa.and_(IS_DOING, c.lease_until < moment(connection.dialect.name))
    if of is not None:
        expired = sa.and_(expired, c.owner.in_(of))
    return _take_back(connection, expired, max_losses, told_now(connection, now))


def lost(connection: Connection, owner: str, max_losses: int = MAX_LOSSES) -> int:
    """Give back what a process held that was found dead, as `reap_expired` does.

    Returns:
        The number of jobs given back.
    """
    return _take_back(connection, held_by(owner), max_losses)


def crashed(connection: Connection, owner: str, max_solo_crashes: int = 2) -> list[Job]:
    """Give back, quarantined, what a process held that was seen to die.

    A job it held alone is given up, failed as `WORKER_CRASHED`, when this is at least its
    `max_solo_crashes`-th crash, those in company counted; otherwise it gets another chance.

    Returns:
        The jobs given up: one or none.
    """
    held = _blamed(connection, owner)
    if len(held) == 1 and held[0].crashes >= max_solo_crashes:
        error = f"the worker process died {held[0].crashes} times while working on it"
        end_failed(connection, held[0].id, owner, WORKER_CRASHED, error)
        return held
    release(connection, owner)
    return []


def overran(connection: Connection, owner: str, seconds: float) -> list[Job]:
    """Give back, quarantined, what a process held that had to be ended since it took too long.

    A job it held alone is given up at once, failed as `TIMED_OUT`.

    Args:
        connection: in a transaction.
        owner: the process; it works no more.
        seconds: how long an item may take.

    Returns:
        The jobs given up: one or none.
    """
    held = _blamed(connection, owner)
    if len(held) == 1:
        error = (
            f"took longer than {seconds:g} s and was ended; `[engine] item_seconds` in the "
            "settings is the limit"
        )
        end_failed(connection, held[0].id, owner, TIMED_OUT, error)
        return held
    release(connection, owner)
    return []


def _blamed(connection: Connection, owner: str) -> list[Job]:
    """What an owner holds, with one crash more each."""
    query = sa.select(*JOB_COLUMNS).where(held_by(owner)).order_by(c.id).with_for_update()
    held = [Job(*row) for row in connection.execute(query)]
    connection.execute(sa.update(job).where(held_by(owner)).values(crashes=c.crashes + 1))
    return [replace(each, crashes=each.crashes + 1) for each in held]


def _take_back(
    connection: Connection,
    which: sa.ColumnElement[bool],
    max_losses: int,
    values: Mapping[str, float | None] | None = None,
) -> int:
    query = sa.select(c.id, c.owner, c.losses + 1, c.crashes).where(which).with_for_update()
    given_back = 0
    for job_id, owner, losses, crashes in connection.execute(query, values).all():
        is_suspicious = losses >= _SUSPICIOUS_LOSSES
        counted = {"losses": losses, "crashes": max(crashes, int(is_suspicious))}
        connection.execute(sa.update(job).where(c.id == job_id).values(counted))
        if losses >= max_losses:
            error = f"was begun {losses} times, and each time whatever worked on it ended before it"
            end_failed(connection, job_id, owner, GAVE_UP, error)
            continue
        given_back += connection.execute(give_back().where(c.id == job_id)).rowcount
    return given_back
