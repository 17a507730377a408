import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from db import open_engine, schema
from tests.postgres import server

LATER = '''
"""A later migration, for these tests."""

import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("image", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.add_column(sa.Column("licence", sa.String(), server_default="unknown"))
        table.alter_column("format", new_column_name="container")
'''


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("template") / "dataengine.db"
    engine = open_engine(f"sqlite:///{file}")
    schema.upgrade(engine)
    engine.dispose()  # the last connection folds the log into the file
    return file.read_bytes()


@pytest.fixture
def sqlite_url(tmp_path: Path, empty_database: bytes) -> str:
    file = tmp_path / "dataengine.db"
    file.write_bytes(empty_database)
    return f"sqlite:///{file}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with server().database() as name:
        yield server().url(name)


@pytest.fixture(params=["sqlite_url", "postgres_url"], ids=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Of a database with today's tables; a test that takes it runs on both kinds."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    yield from opened(url)


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    yield from opened(sqlite_url)


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    yield from opened(postgres_url)


def opened(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def later_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "100% new migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "versions" / "9998_licence.py"
    file.write_text(LATER.replace("{head}", schema.HEAD))
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    monkeypatch.setattr(schema, "HEAD", "9998")
    return file
