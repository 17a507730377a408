"""PostgreSQL: every revision's schema, and what keeps a database from being opened."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from db import (
    Base,
    DatabaseError,
    Image,
    SchemaError,
    display_name,
    explain,
    open_engine,
    postgres,
    schema,
)
from tests.db.any_rows import any_rows
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
