from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from db import open_engine, schema


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("template") / "dataengine.db"
    engine = open_engine(f"sqlite:///{file}")
    schema.upgrade(engine)
    engine.dispose()  # the last connection folds the log into the file
    return file.read_bytes()


@pytest.fixture
def url(tmp_path: Path, empty_database: bytes) -> str:
    file = tmp_path / "dataengine.db"
    file.write_bytes(empty_database)
    return f"sqlite:///{file}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()
