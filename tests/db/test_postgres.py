"""What PostgreSQL alone has: every revision's schema, its errors, how its writers take turns."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db import (
    Base,
    DatabaseError,
    Image,
    LeaseLostError,
    SchemaError,
    Stage,
    beside,
    display_name,
    explain,
    open_engine,
    postgres,
    queue,
    reader,
    retrying,
    schema,
    session_lock,
    transact,
    unordered,
)
from tests.postgres import PASSWORD, Server, server

REVISIONS = sorted(path.name[:4] for path in schema.MIGRATIONS.glob("versions/0*.py"))
CATALOGUE = """
    SELECT 'column', table_name || '.' || column_name,
           concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""
# What a CHECK allows, where `any_rows` would say anything.
ALLOWED = {
    "state": "open", "purpose": "review", "decision": "accept", "split": "train", "source": "human",
    "trust": "fixed", "verdict": "review", "stage": "read",
}  # fmt: skip


@pytest.fixture
def empty() -> Iterator[Engine]:
    """A database without tables."""
    with server().database(empty=True) as name:
        engine = open_engine(server().url(name))
        yield engine
        engine.dispose()


def catalogue(engine: Engine) -> set[tuple[str, ...]]:
    """All that the server knows of the tables, but for the order of columns and Alembic's own."""
    with engine.begin() as connection:
        rows = connection.execute(sa.text(CATALOGUE)).all()
    return {tuple(row) for row in rows if "alembic" not in row[1]}


def any_rows(connection: Connection) -> dict[str, int]:
    """A row in every table of whatever revision, all columns filled that have to be."""
    tables = sa.MetaData()
    tables.reflect(connection)
    added = {}
    for table in tables.sorted_tables:
        if table.name in ("alembic_version", "workspace"):
            continue
        connection.execute(sa.insert(table).values(a_row(table)))
        added[table.name] = 1
    return added


def a_row(table: sa.Table) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.nullable or (column.primary_key and not column.foreign_keys):
            continue
        kind = column.type
        value: Any = "x"
        if isinstance(kind, sa.DateTime):
            value = "2026-01-01T12:00:00+00:00"
        elif isinstance(kind, sa.JSON):
            value = []
        elif isinstance(kind, sa.Boolean):
            value = True
        elif isinstance(kind, sa.Numeric | sa.Integer | sa.Float):
            value = 1
        row[column.name] = ALLOWED.get(column.name, value)
    if table.name == "job":
        row["state"] = "todo"
    if table.name == "lock":
        row["name"] = "a lock"
    return row


def test_migrations_make_what_the_models_say(postgres_engine: Engine, empty: Engine) -> None:
    with postgres_engine.begin() as connection:
        options = {"compare_type": True, "include_object": schema.is_compared("postgresql")}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    Base.metadata.create_all(empty)
    assert catalogue(postgres_engine) == catalogue(empty)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_every_older_revision_is_upgraded_with_its_rows(
    empty: Engine, postgres_engine: Engine, revision: str
) -> None:
    with empty.begin() as connection:
        command.upgrade(schema.alembic_config(connection), revision)
        added = any_rows(connection)
    assert schema.check(empty) is False
    assert schema.upgrade(empty) is True
    assert catalogue(empty) == catalogue(postgres_engine)
    with empty.begin() as connection:
        for name in added:
            table = Base.metadata.tables[name]
            assert len(connection.execute(sa.select(table)).all()) == 1, name
        # Ids go on where they were.
        image = {"sha256": "another", "size_bytes": 2**40}
        assert connection.scalar(sa.insert(Image).values(image).returning(Image.id)) == 2


def test_a_failed_migration_changes_nothing(postgres_engine: Engine, later_migration: Path) -> None:
    before = catalogue(postgres_engine)
    with later_migration.open("a") as file:
        file.write("    raise RuntimeError('power cut')\n")
    with pytest.raises(RuntimeError, match="power cut"):
        schema.upgrade(postgres_engine)
    assert catalogue(postgres_engine) == before
    later_migration.write_text(later_migration.read_text().replace("    raise", "    # raise"))
    assert schema.upgrade(postgres_engine) is True
    assert catalogue(postgres_engine) != before


def test_newer_and_foreign_databases_are_refused(postgres_engine: Engine, empty: Engine) -> None:
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with empty.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoice (id integer)")
    with pytest.raises(SchemaError, match="made by a newer dataengine"):
        schema.upgrade(postgres_engine)
    with pytest.raises(SchemaError, match="tables of another program"):
        schema.upgrade(empty)


def test_several_may_make_the_tables_at_once(empty: Engine) -> None:
    results: list[bool] = []
    url = empty.url

    def upgrade() -> None:
        engine = open_engine(url)
        results.append(schema.upgrade(engine))
        engine.dispose()

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, True]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (lambda s: s.address("x", "secret"), "password authentication failed for user .*~/.pgpass"),
        (lambda s: s.address("x"), "no password supplied; put the password into PGPASSWORD"),
        (lambda s: s.address("nowhere", PASSWORD), 'database "nowhere" does not exist; make it'),
        (lambda s: s.address("x", "secret").replace(f":{s.port}", ":1"), "Connection refused; is"),
        (lambda s: s.url("x").replace("dataengine-pg", "elsewhere"), "No such file.*socket"),
        (lambda _: "postgresql://u:secret@host.invalid/x", "resolve host.*check the name"),
        (lambda _: "postgresql:///x?service=nowhere&password=secret", "service.*pg_service"),
        (lambda s: s.url("x").replace("dataengine@", "nobody:secret@"), 'role "nobody".*make it'),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_line(
    url: Callable[[Server], str], message: str
) -> None:
    engine = open_engine(url(server()))
    with pytest.raises(DatabaseError, match=message) as caught:
        schema.upgrade(engine)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{display_name(engine)} cannot be opened as a database: ")
    assert "secret" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_the_password_comes_from_the_environment_or_a_file(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert check(server().address(name))
    monkeypatch.delenv("PGPASSWORD")
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{server().port}:*:*:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert check(server().address(name))
    services = tmp_path / "services"
    services.write_text(f"[team]\nhost=127.0.0.1\nport={server().port}\nuser=dataengine\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert check(f"postgresql:///{name}?service=team")


def check(url: str) -> bool:
    engine = open_engine(url)
    try:
        return schema.check(engine)
    finally:
        engine.dispose()


def test_an_old_server_is_refused(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "OLDEST_SERVER", 99)
    with pytest.raises(DatabaseError, match=r"PostgreSQL \d+ is too old: 99 or later is needed"):
        schema.upgrade(empty)
    assert schema.state(empty) is schema.State.EMPTY


def test_another_encoding_is_refused() -> None:
    with server().database(empty=True, encoding="LATIN1") as name:
        engine = open_engine(server().url(name))
        with pytest.raises(DatabaseError, match=r"its encoding is LATIN1.*createdb --encoding"):
            schema.upgrade(engine)
        engine.dispose()


def test_missing_rights_are_said(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE guest LOGIN")
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    guest = open_engine(empty.url.set(username="guest"))
    try:
        with pytest.raises(DBAPIError) as caught:
            schema.upgrade(guest)
        message = explain(caught.value)
        assert message is not None
        assert "permission denied for schema public; its owner has to GRANT" in message
        assert "\n" not in message
    finally:
        guest.dispose()
        with empty.begin() as connection:
            connection.exec_driver_sql("DROP ROLE guest")


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
