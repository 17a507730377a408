"""The one place where a transaction is tried again.

PostgreSQL ends one of two transactions that wait for each other, and a server may be restarted, or
a connection cut, in the middle of anything. What was not committed never was, so the whole of it is
done once more; what was committed just before its connection was lost is found done, by whatever
the transaction asks first. SQLite's writers wait for their turn instead: there, nothing is retried.
"""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db.refusals import passes

_T = TypeVar("_T")

ATTEMPTS: Final = 8
_FIRST_SECONDS: Final = 0.02
_LONGEST_SECONDS: Final = 1.0


def transact(engine: Engine, work: Callable[[Connection], _T]) -> _T:
    """Run a transaction, again if others were in its way or its connection was lost.

    Args:
        engine: also one of `db.reader`, `db.beside` or `db.unordered`.
        work: all of the transaction; it changes nothing but the database, and may run several
            times.

    Returns:
        What the work that was committed returned.

    Raises:
        DBAPIError: it was refused for another reason, or `ATTEMPTS` times.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if attempt == ATTEMPTS or not passes(error):
                raise
        # Two that met once meet again if they wait equally long.
        time.sleep(random.uniform(0, min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**attempt)))  # noqa: S311
    raise AssertionError("the last attempt returns or raises")
