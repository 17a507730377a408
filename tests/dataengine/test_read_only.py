"""Commands that only read change nothing on the disk, wait for nobody, and need not write."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Crawl
from tests.dataengine.conftest import Run
from tests.dataengine.conftest import run as run
from tests.dataengine.test_cli_errors import assert_one_line_error

READERS = {
    "status": ["status", "--json"],
    "list": ["list", "--json"],
    "show": ["show", "1", "--out", "OUT"],
    "explain": ["explain", "PHOTO", "--json"],
    "verify": ["verify", "--json"],
    "rounds": ["rounds", "--json"],
    "review status": ["review", "status", "--json"],
    "scores show": ["scores", "show"],
    "scores drift": ["scores", "drift"],
    "ingest --dry-run": ["ingest", "PHOTO", "--dry-run", "--json"],
}

IN_ONE_PROCESS = """
import json, sys
from typer.testing import CliRunner
from dataengine.cli import app

root, commands = sys.argv[1], json.loads(sys.argv[2])
results = {}
for name, command in commands.items():
    result = CliRunner().invoke(app, ["-w", root, *command])
    results[name] = [result.exit_code, result.stdout, repr(result.exception)]
print(json.dumps(results))
"""


@pytest.fixture
def root(ingested: Crawl, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested.workspace, tmp_path / "ws"))


@pytest.fixture
def commands(ingested: Crawl, tmp_path: Path) -> dict[str, list[str]]:
    places = {"PHOTO": str(ingested.raw / "sharp.jpg"), "OUT": str(tmp_path / "out.png")}
    return {name: [places.get(word, word) for word in command] for name, command in READERS.items()}


def results(run: Run, root: Path, commands: dict[str, list[str]]) -> dict[str, tuple[int, str]]:
    found = {}
    for name, command in commands.items():
        result = run("-w", root, *command)
        found[name] = (result.code, steady(result.out))
    return found


def steady(out: str) -> str:
    """Without what no two runs have in common."""
    return re.sub(r'"seconds": [0-9.]+', "", out)


def state(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its size, time and content; SQLite's index of readers is no content."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_size,
            path.stat().st_mtime_ns,
            path.read_bytes(),
        )
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }


def on_read_only(root: Path, commands: dict[str, list[str]]) -> dict[str, tuple[int, str, str]]:
    """Run commands where the kernel refuses every write to the folder."""
    mounted = f"mount --bind '{root}' '{root}' && mount -o remount,ro,bind '{root}' && "
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    attempt = f'{mounted} ! touch "{root}/x" 2> /dev/null && exec "$@"'
    script = [sys.executable, "-c", IN_ONE_PROCESS, str(root), json.dumps(commands)]
    done = subprocess.run(
        ["unshare", "--mount", *user, "sh", "-c", attempt, "sh", *script],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, tuple[int, str, str]] = json.loads(done.stdout)
    return found


def leave_a_log(root: Path) -> None:
    """What a killed writer leaves: its last transaction is in the log alone."""
    code = """if True:
        import os, sqlite3, sys
        database = sqlite3.connect(sys.argv[1])
        database.execute("UPDATE image SET format = 'KILLED'")
        database.commit()
        os._exit(9)
    """
    subprocess.run([sys.executable, "-c", code, str(root / "dataengine.db")], check=False)
    assert (root / "dataengine.db-wal").stat().st_size > 0


def test_nothing_changes(run: Run, root: Path, commands: dict[str, list[str]]) -> None:
    before = state(root)
    assert {
        name: code for name, (code, _) in results(run, root, commands).items()
    } == dict.fromkeys(commands, 0)
    assert state(root) == before
    leave_a_log(root)
    before = state(root)
    results(run, root, commands)
    assert state(root) == before


@pytest.mark.parametrize("killed", [False, True])
def test_a_read_only_folder_says_the_same(
    run: Run, root: Path, commands: dict[str, list[str]], killed: bool
) -> None:
    if killed:
        leave_a_log(root)
    expected = results(run, root, commands)
    before = state(root)
    found = on_read_only(root, commands)
    assert {name: (code, steady(out)) for name, (code, out, _) in found.items()} == expected
    assert state(root) == before


@pytest.mark.parametrize(
    "statement",
    ["UPDATE image SET format = 'HALF DONE'", "ALTER TABLE image ADD COLUMN of_tomorrow INTEGER"],
)
def test_no_writer_is_waited_for(
    run: Run, root: Path, commands: dict[str, list[str]], statement: str
) -> None:
    expected = results(run, root, commands)
    with closing(sqlite3.connect(root / "dataengine.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(statement)
        assert results(run, root, commands) == expected
        writer.execute("ROLLBACK")


def test_a_file_that_was_written_under_a_read_only_reader_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one way of reading that cannot see a writer looks for its traces."""
    from db import DatabaseError, open_to_read

    monkeypatch.setattr(os, "access", lambda *_: False)
    engine, close = open_to_read(f"sqlite:///{root}/dataengine.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM image").scalar()
    close()
    engine, close = open_to_read(f"sqlite:///{root}/dataengine.db")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM image").scalar()
        with closing(sqlite3.connect(root / "dataengine.db")) as writer:
            writer.execute("UPDATE image SET format = 'MEANWHILE'")
            writer.commit()
    with pytest.raises(DatabaseError, match="was written to while it was read"):
        close()


def test_a_reader_cannot_write(root: Path) -> None:
    from sqlalchemy.exc import OperationalError

    from pipelines.workspace.errors import WorkspaceError
    from pipelines.workspace.opening import open_workspace
    from pipelines.workspace.store import BlobKind

    workspace = open_workspace(root, read_only=True)
    with pytest.raises(OperationalError), workspace.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE image SET format = 'WRITTEN'")
    with pytest.raises(WorkspaceError, match="opened to read"):
        workspace.store.put(BlobKind.MASK, b"new")
    workspace.close()


def test_tables_of_an_older_program_are_left_to_upgrade(
    run: Run, root: Path, commands: dict[str, list[str]]
) -> None:
    with closing(sqlite3.connect(root / "dataengine.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0007'")
    before = state(root)
    del commands["ingest --dry-run"]
    for command in commands.values():
        result = run("-w", root, *command)
        assert_one_line_error(result, "by an older dataengine: `dataengine upgrade` brings it up")
    assert state(root) == before


def test_nothing_is_made_by_looking(
    run: Run, tmp_path: Path, commands: dict[str, list[str]]
) -> None:
    del commands["ingest --dry-run"]
    for command in commands.values():
        assert_one_line_error(run("-w", tmp_path / "none", *command), "not a workspace; make one")
    assert not (tmp_path / "none").exists()
    by_hand = tmp_path / "by hand"
    by_hand.mkdir()
    (by_hand / "dataengine.toml").write_text("# by hand\n")
    for command in commands.values():
        assert_one_line_error(run("-w", by_hand, *command), "has no database yet; the first `data")
    assert [path.name for path in by_hand.iterdir()] == ["dataengine.toml"]
