"""Who is the current student: each promotion has a number, and takes the place it was meant for.

A student is promoted because it beat another one; if a third took that one's place meanwhile, the
comparison says nothing any more.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Run


def current_run(connection: Connection) -> int | None:
    """Id of the run whose student is current; None: none was promoted yet."""
    promoted = sa.select(Run.id).where(Run.promotion.is_not(None))
    return connection.scalar(promoted.order_by(Run.promotion.desc()).limit(1))


def promote(connection: Connection, run_id: int, *, by_hand: bool) -> None:
    """Make a run's student the current one; the caller has compared `current_run` before.

    Args:
        connection: in a transaction that writes, alone among those that do; and the number is
            unique.
        run_id: of the run.
        by_hand: against or without the gate.
    """
    last = connection.scalar(sa.select(sa.func.max(Run.promotion))) or 0
    values = {"promotion": last + 1, "promoted_at": datetime.now(UTC), "forced": by_hand}
    connection.execute(sa.update(Run).where(Run.id == run_id).values(values))
