"""Commands on a workspace whose rows are on a PostgreSQL server."""

import json
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.workspace.opening import open_workspace
from tests.conftest import FAST_INGEST, Crawl
from tests.dataengine.conftest import Run
from tests.postgres import PASSWORD, server
from tests.snapshots import snapshot


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


@pytest.fixture
def in_file(ingested: Crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with its database in a file."""
    for key, value in FAST_INGEST.items():
        monkeypatch.setenv(key, value)
    return Path(shutil.copytree(ingested.workspace, tmp_path / "ws"))


def test_a_workspace_moves_to_a_server_and_back(
    run: Run, in_file: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    before, url = snapshot(in_file), server().address(name)
    moved = run("-w", in_file, "migrate-database", url)
    assert moved.code == 0, moved.err
    assert f"rows copied and compared; the settings name {url}" in moved.out
    assert tomllib.loads((in_file / "dataengine.toml").read_text())["database"] == url
    (in_file / "dataengine.db").rename(in_file / "old.db")
    assert snapshot(in_file) == before
    assert run("-w", in_file, "verify").code == 0

    again = run("-w", in_file, "migrate-database", url)
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "is not empty" in again.err

    assert run("-w", in_file, "backup", tmp_path / "backup").code == 0
    assert run("restore", tmp_path / "backup", tmp_path / "restored").code == 0
    assert snapshot(tmp_path / "restored") == before

    back = run("-w", in_file, "migrate-database", "sqlite:///back.db")
    assert back.code == 0, back.err
    assert snapshot(in_file) == before
    assert (in_file / "back.db").is_file()


def test_a_refused_move_leaves_everything_where_it_was(
    run: Run, in_file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (in_file / "dataengine.toml").read_text()
    url = server().address(name)
    for target, message in {
        url: "no password supplied",
        url.replace("@", f":{PASSWORD.replace(' ', '%20')}@"): "write it without its password",
        "sqlite:///dataengine.db": "is not empty",
    }.items():
        answer = run("-w", in_file, "migrate-database", target)
        assert (answer.code, answer.err.count("\n")) == (1, 1), answer.err
        assert message in answer.err
        assert PASSWORD not in answer.err
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with closing(open_workspace(in_file)):
        answer = run("-w", in_file, "migrate-database", url)
        assert answer.code == 1
        assert "others are at work" in answer.err
    assert (in_file / "dataengine.toml").read_text() == settings
    monkeypatch.setenv("DATAENGINE_DATABASE", "sqlite:///dataengine.db")
    answer = run("-w", in_file, "migrate-database", url)
    assert answer.code == 1
    assert "DATAENGINE_DATABASE names its database" in answer.err
