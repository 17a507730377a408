"""Making, opening and upgrading a workspace, and clearing up after its dead processes."""

import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from db import DatabaseError, JobState, SchemaError, Stage, queue, schema
from pipelines.workspace import owners
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace, make_workspace

LATER_MIGRATION = '''
"""A later migration, for this test."""

import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("image", sa.Column("licence", sa.String()))
'''

PROCESS_AT_WORK = """
import sys
from pathlib import Path
from db import Stage, queue
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]), Settings())
with workspace.engine.begin() as connection:
    queue.enqueue(connection, Stage.READ, range(10))
    jobs = queue.claim(connection, Stage.READ, workspace.owner, 3, lease_seconds=600)
half_written = workspace.store.root / "tmp" / f"{workspace.owner}.0"
half_written.parent.mkdir(exist_ok=True)
half_written.write_bytes(b"half")
print("at work", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_workspace(tmp_path / "ws", "# empty\n")
    return tmp_path / "ws"


@pytest.fixture
def workspace(root: Path) -> Iterator[Workspace]:
    workspace = Workspace(root, Settings())
    yield workspace
    workspace.close()


def revision(root: Path) -> str:
    with closing(sqlite3.connect(root / "dataengine.db")) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def read_jobs(workspace: Workspace) -> dict[JobState, int]:
    with workspace.engine.begin() as connection:
        jobs = queue.counts(connection)[Stage.READ]
    return {state: number for state, number in jobs.items() if number}


def test_a_folder_with_other_things_becomes_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    make_workspace(tmp_path, "[release]\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dataengine.db",
        "dataengine.toml",
        "photo.jpg",
        "store",
    ]
    key, text = (tmp_path / "dataengine.toml").read_text().splitlines()
    assert re.match(r'id = "[0-9a-f]{32}" ', key)
    assert text == "[release]"


def test_a_workspace_is_not_made_over_another(root: Path) -> None:
    with pytest.raises(WorkspaceError, match="already a workspace; nothing was changed"):
        make_workspace(root, "# other settings\n")
    assert (root / "dataengine.toml").read_text().endswith("\n# empty\n")


@pytest.mark.parametrize(
    ("where", "message"),
    [("file", "is a file; a folder is needed"), ("file/below", "cannot be written")],
)
def test_no_workspace_in_a_file(tmp_path: Path, where: str, message: str) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(WorkspaceError, match=message) as caught:
        make_workspace(tmp_path / where, "")
    assert str(tmp_path / where) in str(caught.value)
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_file_in_the_place_of_the_store_is_what_the_message_names(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"kept")
    with pytest.raises(WorkspaceError, match=f"{tmp_path / 'store'}: is a file"):
        make_workspace(tmp_path, "")
    assert not (tmp_path / "dataengine.toml").exists()


def test_opening_what_is_no_workspace_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="not a workspace; make one with `dataengine init"):
        Workspace(tmp_path, Settings())
    assert list(tmp_path.iterdir()) == []


def test_an_older_database_is_upgraded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workspace(root, Settings()).close()
    assert revision(root) == schema.HEAD
    migrations = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    later = migrations / "versions" / "9000_licence.py"
    later.write_text(LATER_MIGRATION.format(head=schema.HEAD))
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    monkeypatch.setattr(schema, "HEAD", "9000")
    Workspace(root, Settings()).close()
    assert revision(root) == "9000"


def test_a_newer_database_is_refused_and_left_alone(root: Path) -> None:
    Workspace(root, Settings()).close()
    with closing(sqlite3.connect(root / "dataengine.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    message = r"dataengine\.db was made by a newer dataengine \(schema 9999\): upgrade"
    with pytest.raises(SchemaError, match=message):
        Workspace(root, Settings())
    assert revision(root) == "9999"


def test_a_damaged_database_is_named(root: Path) -> None:
    (root / "dataengine.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseError, match=r"dataengine\.db cannot be opened"):
        Workspace(root, Settings())


def test_the_database_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "ws"
    settings = Settings(database=f"sqlite:///{tmp_path}/elsewhere.db")
    make_workspace(root, "", settings)
    Workspace(root, settings).close()
    assert (tmp_path / "elsewhere.db").exists()
    assert not (root / "dataengine.db").exists()
    # A path that is not absolute is the workspace's, wherever the command is given.
    monkeypatch.chdir(tmp_path)
    Workspace(Path("ws"), Settings(database="sqlite:///../elsewhere.db")).close()
    Workspace(root, Settings(database="sqlite:///../elsewhere.db"), read_only=True).close()
    assert not (tmp_path.parent / "elsewhere.db").exists()


def test_what_a_killed_process_held_is_given_back_at_once(workspace: Workspace) -> None:
    root = workspace.paths.root
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS_AT_WORK, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        assert workspace.clear_up_after_the_dead() == 0
        assert read_jobs(workspace) == {JobState.TODO: 7, JobState.DOING: 3}
        assert len(list((root / "store" / "tmp").iterdir())) == 1
    finally:
        process.kill()
        process.communicate()
    assert workspace.clear_up_after_the_dead() == 3
    assert read_jobs(workspace) == {JobState.TODO: 10}
    assert list((root / "store" / "tmp").iterdir()) == []
    assert [path.stem for path in (root / "locks").iterdir()] == [workspace.owner]


def test_no_clock_takes_jobs_from_a_process_that_beats(
    root: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of another machine is an hour ahead, or this one's was put back."""
    other = Workspace(root, Settings())
    with other.engine.begin() as connection:
        queue.enqueue(connection, Stage.READ, [1])
        (job,) = queue.claim(connection, Stage.READ, other.owner, 1, lease_seconds=600)
    real = time.time
    for shift in (3600, -3600):
        monkeypatch.setattr(time, "time", lambda shift=shift: real() + shift)
        for _ in range(2 * owners.SILENT_BEATS):
            workspace.presence.beat()
            other.presence.beat()
        assert workspace.clear_up_after_the_dead() == 0
    monkeypatch.setattr(time, "time", real)
    with other.engine.begin() as connection:
        queue.succeed(connection, [job], other.owner)
        queue.redo(connection, Stage.READ, [1])
        queue.claim(connection, Stage.READ, other.owner, 1, lease_seconds=600)
    # One that was stopped loses it when its lease is over.
    for _ in range(2 * owners.SILENT_BEATS):
        workspace.presence.beat()
    monkeypatch.setattr(time, "time", lambda: real() + 60)
    assert workspace.clear_up_after_the_dead() == 0
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert workspace.clear_up_after_the_dead() == 1
    other.close()


def test_closing_gives_back_what_is_held(root: Path) -> None:
    first = Workspace(root, Settings())
    with first.engine.begin() as connection:
        queue.enqueue(connection, Stage.READ, [1, 2])
        queue.claim(connection, Stage.READ, first.owner, 2, lease_seconds=600)
    first.close()
    assert list((root / "locks").iterdir()) == []
    second = Workspace(root, Settings())
    assert read_jobs(second) == {JobState.TODO: 2}
    second.close()
