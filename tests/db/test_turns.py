"""PostgreSQL: how its writers take turns, and what is tried again."""

import itertools
import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db import (
    Image,
    LeaseLostError,
    Stage,
    beside,
    explain,
    open_engine,
    queue,
    reader,
    retrying,
    session_lock,
    transact,
    unordered,
)
from tests.postgres import server


def test_writers_take_turns(postgres_engine: Engine) -> None:
    """Alone: nobody else writes. Beside: others of that kind do. Reading and beating: always."""
    for first, may in {
        "alone": {"reading", "unordered"},
        "beside": {"reading", "unordered", "beside"},
        "reading": set(WAYS),
        "unordered": set(WAYS),
    }.items():
        with WAYS[first](postgres_engine).begin() as connection:
            connection.execute(sa.select(Image.id))
            assert {second for second in WAYS if begins(postgres_engine, second)} == may, first


WAYS: dict[str, Callable[[Engine], Engine]] = {
    "alone": lambda engine: engine,
    "beside": beside,
    "reading": reader,
    "unordered": unordered,
}


def begins(engine: Engine, way: str) -> bool:
    """Whether a transaction of this kind begins at once."""
    other = open_engine(engine.url.update_query_dict({"options": "-c lock_timeout=50"}))
    try:
        with WAYS[way](other).begin() as connection:
            connection.execute(sa.select(Image.id))
    except DBAPIError as error:
        return "another command writes for long" not in str(explain(error))
    finally:
        other.dispose()
    return True


def two_images(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = [{"sha256": name, "size_bytes": 0} for name in "ab"]
        connection.execute(sa.insert(Image), rows)


def test_a_deadlock_is_tried_again(postgres_engine: Engine) -> None:
    two_images(postgres_engine)
    meet, begun = threading.Barrier(2, timeout=30), []

    def write(order: str) -> None:
        def work(connection: Connection) -> None:
            begun.append(order)
            for number, sha256 in enumerate(order):
                if number and len(begun) <= 2:
                    meet.wait()
                one = sa.update(Image).where(Image.sha256 == sha256)
                connection.execute(one.values(size_bytes=Image.size_bytes + 1))

        transact(beside(postgres_engine), work)

    threads = [threading.Thread(target=write, args=(order,)) for order in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) > 2
    with postgres_engine.begin() as connection:
        assert list(connection.scalars(sa.select(Image.size_bytes))) == [2, 2]


def test_a_lost_connection_is_tried_again(postgres_engine: Engine) -> None:
    two_images(postgres_engine)
    attempts = itertools.count(1)

    def work(connection: Connection) -> int:
        connection.execute(sa.update(Image).values(size_bytes=Image.size_bytes + 1))
        attempt = next(attempts)
        if attempt < 3:
            end_connection(postgres_engine, connection)
        connection.execute(sa.update(Image).values(size_bytes=Image.size_bytes + 1))
        return attempt

    assert transact(beside(postgres_engine), work) == 3
    with postgres_engine.begin() as connection:
        assert set(connection.scalars(sa.select(Image.size_bytes))) == {2}


def end_connection(engine: Engine, connection: Connection) -> None:
    """As an administrator does, or a network."""
    pid = connection.scalar(sa.select(sa.func.pg_backend_pid()))
    with unordered(engine).begin() as other:
        other.execute(sa.select(sa.func.pg_terminate_backend(pid)))


def test_trying_again_has_an_end(postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_SECONDS", 0.0)
    begun = itertools.count()

    def conflict(connection: Connection) -> None:
        next(begun)
        connection.exec_driver_sql(
            "DO $$ BEGIN RAISE EXCEPTION 'no luck' USING ERRCODE = '40001'; END $$"
        )

    with pytest.raises(DBAPIError, match="no luck") as caught:
        transact(postgres_engine, conflict)
    assert next(begun) == retrying.ATTEMPTS
    assert explain(caught.value) == (
        "the database refused: no luck; others write the same; run the same command again"
    )

    def refused(connection: Connection) -> None:
        next(begun)
        connection.exec_driver_sql("INSERT INTO image (sha256) VALUES ('x')")

    with pytest.raises(DBAPIError):
        transact(postgres_engine, refused)
    assert next(begun) == retrying.ATTEMPTS + 2, "what is refused for good is not tried again"


def test_a_server_that_is_restarted_is_waited_for(postgres_engine: Engine) -> None:
    with postgres_engine.begin() as connection:
        queue.enqueue(connection, Stage.READ, range(10))

    def claim(connection: Connection) -> list[int]:
        jobs = queue.claim(connection, Stage.READ, "a", 4, lease_seconds=60)
        return [job.item_id for job in jobs]

    def claim_meanwhile() -> None:
        claimed.append(transact(beside(postgres_engine), claim))

    claimed = [transact(beside(postgres_engine), claim)]
    server().stop()
    waiting = threading.Thread(target=claim_meanwhile)
    waiting.start()
    time.sleep(0.3)
    assert len(claimed) == 1
    server().start()
    waiting.join()
    assert claimed == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_leases_go_by_the_servers_clock(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_engine.begin() as connection:
        queue.enqueue(connection, Stage.READ, range(2))
    monkeypatch.setattr(time, "time", lambda: 0.0)  # somebody whose clock stands at 1970
    with postgres_engine.begin() as connection:
        (held,) = queue.claim(connection, Stage.READ, "a", 1, lease_seconds=60)
        assert queue.reap_expired(connection) == 0
        assert queue.renew(connection, "a", 60) == 1
    monkeypatch.setattr(time, "time", lambda: 1e12)
    with postgres_engine.begin() as connection:
        assert queue.reap_expired(connection) == 0
        queue.require_held(connection, [held], "a")
        queue.renew(connection, "a", -1)
    with postgres_engine.begin() as connection:
        assert queue.reap_expired(connection) == 1
        with pytest.raises(LeaseLostError):
            queue.require_held(connection, [held], "a")


def test_a_session_lock_ends_with_its_connection(postgres_engine: Engine) -> None:
    other = open_engine(postgres_engine.url)
    with session_lock(postgres_engine, "release") as first:
        assert first
        with session_lock(other, "release") as second, session_lock(other, "push") as third:
            assert (second, third) == (False, True)
        with other.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND pid <> pg_backend_pid()"
            )
        deadline, got = time.monotonic() + 10, False
        while not got and time.monotonic() < deadline:
            with session_lock(other, "release") as got:
                pass
        assert got
    with session_lock(other, "release") as again:
        assert again
    other.dispose()
