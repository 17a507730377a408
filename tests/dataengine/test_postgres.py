"""Commands on a workspace whose rows are on a PostgreSQL server."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FAST_INGEST, Crawl
from tests.dataengine.conftest import Run
from tests.postgres import PASSWORD, server


@pytest.fixture
def name() -> Iterator[str]:
    """Of an empty database."""
    with server().database(empty=True) as made:
        yield made


def test_a_workspace_on_a_server(
    run: Run, ingested: Crawl, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    for key, value in FAST_INGEST.items():
        monkeypatch.setenv(key, value)
    folder, url = tmp_path / "team", server().address(name)
    made = run("init", folder, "--database", url)
    assert made.code == 0, made.err
    assert tomllib.loads((folder / "dataengine.toml").read_text())["database"] == url
    assert not (folder / "dataengine.db").exists()
    answer = run("-w", folder, "ingest", ingested.raw, "--json")
    assert answer.code == 0, answer.err
    on_server, in_file = (
        json.loads(run("-w", each, "status", "--json").out) for each in (folder, ingested.workspace)
    )
    assert on_server == in_file
    assert run("-w", folder, "verify").code == 0


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("postgresql://anna:s3cret@db.example.org/x", "write it without its password"),
        ("postgresql://anna@db.example.org/x?password=s3cret", "write it without its password"),
        ("postgresql+asyncpg://anna:s3cret@db.example.org/x", "unknown driver: leave it out"),
        ("mysql://anna:s3cret@db.example.org/x", "mysql databases are not supported"),
    ],
)
def test_a_password_is_neither_written_nor_shown(
    run: Run, tmp_path: Path, secret: str, message: str
) -> None:
    answer = run("init", tmp_path / "team", "--database", secret)
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err
    assert "s3cret" not in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "team").exists()


def test_a_failed_init_leaves_no_workspace(run: Run, tmp_path: Path) -> None:
    answer = run("init", tmp_path / "team", "--database", server().address("x"))
    assert answer.code == 1
    assert "cannot be opened as a database: no password supplied" in answer.err
    assert not (tmp_path / "team" / "dataengine.toml").exists()
