"""PostgreSQL: how connections are made, and how its transactions take turns.

SQLite has one writer at a time, and much of this program is right because of that: it reads what is
there and then writes what follows. Here the same holds by an advisory lock that every transaction
that writes takes as its first act. Those that were made to run beside each other, as the workers'
do all day long, share it (`db.engine.beside`); any other one is alone among the writers. Readers
take no lock. Waiting for it is as long as SQLite's busy timeout.

Advisory locks are a database's own, and end with their transaction or their session: nothing has to
be cleared away after a process that was killed.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from db.errors import DatabaseError

OLDEST_SERVER: Final = 13
"""Major version of the oldest server that can be used."""

DRIVER: Final = "postgresql+psycopg"
_SECRETS: Final = ("password", "sslpassword")
_CONNECT_SECONDS = 10
_RETURN_SECONDS = 30.0
"""A server that answered before and is restarted is waited for so long."""

# Any numbers that other users of the database are unlikely to lock.
_WRITERS: Final = 0x706F727472616975
# Whoever is stopped in the middle of a transaction does not keep others waiting for ever.
_NOT_FOR_EVER: Final = "set_config('idle_in_transaction_session_timeout', '10min', true)"
# They read and write by keys. A plan that was made while a table was nearly empty, as those behind
# references are, reads it from one end to the other for each row until somebody analyses it.
_BY_KEYS: Final = "set_config('enable_seqscan', 'off', true)"
_TAKE_ALONE: Final = f"SELECT pg_advisory_xact_lock({_WRITERS}), {_NOT_FOR_EVER}"
_TAKE_BESIDE: Final = (
    f"SELECT pg_advisory_xact_lock_shared({_WRITERS}), {_NOT_FOR_EVER}, {_BY_KEYS}"
)
# A machine that is gone without a word is found out, by the client and by the server, in a minute.
_KEEPALIVES: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def complete_url(url: URL) -> URL:
    """Name the one driver where none is named.

    Raises:
        DatabaseError: another driver is named.
    """
    if url.drivername in ("postgresql", "postgres", DRIVER):
        return url.set(drivername=DRIVER)
    raise DatabaseError(f"{shown_url(url)} names an unknown driver: leave it out (postgresql://…)")


def secrets_in(url: URL) -> bool:
    """Whether a URL holds a password."""
    return bool(url.password) or any(name in url.query for name in _SECRETS)


def shown_url(url: URL) -> str:
    """As people write it, without its secrets."""
    plain = url.difference_update_query(_SECRETS)
    if url.drivername == DRIVER:
        plain = plain.set(drivername="postgresql")
    # A socket's folder stands there as it is.
    return plain.render_as_string(hide_password=True).replace(":***@", "@").replace("%2F", "/")


def engine_options(url: URL, busy_seconds: float) -> dict[str, Any]:
    """For `sqlalchemy.create_engine`.

    Args:
        url: of the database; what its query says of options comes first.
        busy_seconds: how long a statement waits for others' locks.
    """
    given = url.query.get("options", os.environ.get("PGOPTIONS", ""))
    asked = given if isinstance(given, str) else " ".join(given)
    own = {"lock_timeout": int(busy_seconds * 1000), "client_encoding": "UTF8"}
    own |= {f"tcp_{name}": value for name, value in _KEEPALIVES.items()}
    settings = " ".join(f"-c {name}={value}" for name, value in own.items())
    arguments: dict[str, Any] = {"options": f"{settings} {asked}".strip()}
    arguments |= {name: value for name, value in _KEEPALIVES.items() if name not in url.query}
    if "connect_timeout" not in url.query and "PGCONNECT_TIMEOUT" not in os.environ:
        arguments["connect_timeout"] = _CONNECT_SECONDS
    if "application_name" not in url.query and "PGAPPNAME" not in os.environ:
        arguments["application_name"] = "dataengine"
    # A connection that idled while the server was restarted is replaced before it is used.
    return {"connect_args": arguments, "pool_pre_ping": True}


def set_up(engine: Engine, begin: Callable[[Connection], None]) -> None:
    """Let an engine wait for a server that is restarted, and begin its transactions."""
    has_answered = False

    def connect(
        dialect: Dialect, _: ConnectionPoolEntry, arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        nonlocal has_answered
        deadline = time.monotonic() + _RETURN_SECONDS
        while True:
            try:
                made = dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError as error:
                if not _comes_back(error, has_answered) or time.monotonic() > deadline:
                    raise
                time.sleep(0.25)
            else:
                has_answered = True
                return made

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "begin", begin)


def take_turn(connection: Connection, *, beside: bool) -> None:
    """Wait until this transaction may write; the lock ends with it."""
    connection.exec_driver_sql(_TAKE_BESIDE if beside else _TAKE_ALONE)


@contextmanager
def session_lock(connection: Connection, name: str) -> Iterator[bool]:
    """Hold an advisory lock that the server frees when the connection ends, however that happens.

    Args:
        connection: in autocommit, for nothing else.
        name: of the lock.

    Yields:
        False: another connection holds it.
    """
    key = int.from_bytes(hashlib.sha256(f"dataengine {name}".encode()).digest()[:8], signed=True)
    got = connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key)))
    try:
        yield bool(got)
    finally:
        if got:
            # A connection that was lost holds nothing any more.
            with suppress(DBAPIError):
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def require_usable(connection: Connection, name: str) -> None:
    """Refuse servers and databases that cannot hold what is to be stored.

    Args:
        connection: to it.
        name: of the database, for messages.

    Raises:
        DatabaseError: the server is too old, or the database is of another encoding.
    """
    version, encoding = connection.execute(
        sa.text("SELECT current_setting('server_version_num'), current_setting('server_encoding')")
    ).one()
    if int(version) // 10_000 < OLDEST_SERVER:
        raise DatabaseError(
            f"{name}: PostgreSQL {int(version) // 10_000} is too old: {OLDEST_SERVER} or later is "
            "needed"
        )
    if encoding != "UTF8":
        raise DatabaseError(
            f"{name}: its encoding is {encoding}, which cannot hold every file's name: make it "
            "anew with `createdb --encoding UTF8 --template template0`"
        )


def _comes_back(error: Exception, has_answered: bool) -> bool:
    """Whether the server says that it is about to answer, or did answer a moment ago."""
    text = str(error)
    if any(sign in text for sign in ("starting up", "in recovery mode", "not yet accepting")):
        return True
    gone = ("Connection refused", "No such file or directory", "shutting down", "closed the conn")
    return has_answered and any(sign in text for sign in gone)
