"""A backup is all of a workspace as it was at one moment, whole or not there at all."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import JobState, LockRow, OwnerRow, Stage, queue
from pipelines.lineage.backup import (
    BackedUp,
    BackUpRequest,
    RestoreRequest,
    back_up_workspace,
    restore_workspace,
)
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.exclusive import exclusive
from pipelines.workspace.fake import FakeStore
from pipelines.workspace.opening import open_workspace as open_by_its_settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.dataengine.conftest import Run as Command
from tests.dataengine.conftest import run as run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.pipelines.ingest.conftest import small_crawl as small_crawl
from tests.pipelines.ingest.runs import Run, ingest
from tests.pipelines.lineage.conftest import flip
from tests.snapshots import differences, leftovers, snapshot


def back_up(workspace: Workspace, out: Path) -> BackedUp:
    return back_up_workspace(workspace, BackUpRequest(out=out))


def restore(backup: Path, out: Path) -> Workspace:
    """Opened by its own settings, after all of it was found well."""
    report = restore_workspace(RestoreRequest(backup=backup, out=out))
    assert report.problems == []
    return open_by_its_settings(out)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("dataengine.")
    }


def test_all_of_it_comes_back(workspace: Workspace, released: Path, tmp_path: Path) -> None:
    workspace.store.put(BlobKind.MASK, b"nobody's")
    with workspace.engine.begin() as connection:
        queue.redo(connection, Stage.READ, [1])
        (job,) = queue.claim(connection, Stage.READ, workspace.owner, 1, lease_seconds=600)
    with exclusive(workspace, "release", "a release is being written"):
        done = back_up(workspace, tmp_path / "backup")
    assert (done.releases, done.runs) == (1, 1)
    assert done.blobs == len(files(tmp_path / "backup/store")) - 1
    with workspace.engine.begin() as connection:
        queue.succeed(connection, [job], workspace.owner)

    restored = restore(tmp_path / "backup", tmp_path / "again")
    report = verify_workspace(restored, VerifyRequest())
    assert report.problems == [each for each in report.problems if "job" in each.what], (
        "but for the job made up here"
    )
    assert (report.releases, report.runs, report.unnamed) == (1, 1, 0)
    with restored.engine.begin() as connection:
        assert list(connection.scalars(sa.select(OwnerRow.name))) == [restored.owner]
        assert list(connection.scalars(sa.select(LockRow.name))) == []
        assert queue.counts(connection)[Stage.READ][JobState.DOING] == 0
    restored.close()
    was, now = files(workspace.paths.root), files(tmp_path / "again")
    assert {name for name in was if name not in now} == {
        name for name in was if name.startswith("locks/") or b"nobody's" in was[name]
    }
    assert all(was[name] == content for name, content in now.items())
    assert differences(snapshot(tmp_path / "backup"), snapshot(tmp_path / "again")) == []


def test_it_outlives_the_workspace(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "backup")
    shared = next((tmp_path / "backup/store/masks").rglob("*.png"))
    assert shared.stat().st_nlink == 2
    root = workspace.paths.root
    shutil.rmtree(root)
    restored = restore(tmp_path / "backup", root)
    assert verify_workspace(restored, VerifyRequest()).ok
    again = root / shared.relative_to(tmp_path / "backup")
    assert not again.samefile(shared), "what is restored shares nothing with its backup"
    restored.close()


def test_the_database_elsewhere_comes_into_the_folder(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "ws")
    root = tmp_path / "ws"
    (root / "dataengine.db").rename(tmp_path / "elsewhere.db")
    text = (root / "dataengine.toml").read_text()
    line = "database = 'sqlite:///../elsewhere.db'\n"
    (root / "dataengine.toml").write_text(line + text)
    opened = open_by_its_settings(root, read_only=True)
    back_up(opened, tmp_path / "backup")
    opened.close()
    restored = restore(tmp_path / "backup", tmp_path / "again")
    assert restored.engine.url.database == str(tmp_path / "again/dataengine.db")
    assert verify_workspace(restored, VerifyRequest()).ok
    restored.close()
    assert (
        tmp_path / "again/dataengine.toml"
    ).read_text() == f"# {line.strip()}  # as it was\n" + text


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_what_is_not_whole_is_not_backed_up(
    workspace: Workspace, tmp_path: Path, harm: str
) -> None:
    path = next((workspace.paths.store / "portraits").rglob("*.jpg"))
    path.unlink() if harm == "lost" else flip(path)
    with pytest.raises(WorkspaceError, match=str(path)):
        back_up(workspace, tmp_path / "backup")
    assert not list(tmp_path.glob("*backup*")) + list(tmp_path.glob(".backup*"))


def test_a_store_in_no_folder_is_copied(workspace: Workspace, tmp_path: Path) -> None:
    fake = FakeStore()
    keys = list(workspace.store.keys())
    for key in keys:
        fake.put(BlobKind(key.split("/")[0]), workspace.store.get(key))
    workspace.store = fake
    back_up(workspace, tmp_path / "backup")
    restored = restore(tmp_path / "backup", tmp_path / "again")
    assert verify_workspace(restored, VerifyRequest()).ok
    restored.close()
    fake.lose(next(fake.keys()))
    with pytest.raises(WorkspaceError, match="memory://"):
        back_up(workspace, tmp_path / "another")
    assert not (tmp_path / "another").exists()


def test_nothing_is_written_over(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/mine.txt").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    back_up(workspace, tmp_path / "backup")
    for name in ("there", "link", "backup"):
        with pytest.raises(PipelineError, match="is there already; nothing is ever written over"):
            back_up(workspace, tmp_path / name)
        with pytest.raises(PipelineError, match="is there already; nothing is ever written over"):
            restore(tmp_path / "backup", tmp_path / name)
    with pytest.raises(PipelineError, match="is no backup of a workspace: it lacks dataengine"):
        restore(tmp_path / "there", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_damaged_backup_is_found_out(workspace: Workspace, tmp_path: Path, run: Command) -> None:
    back_up(workspace, tmp_path / "backup")
    shutil.copytree(tmp_path / "backup", tmp_path / "copy")
    flip(next((tmp_path / "copy/store/masks").rglob("*.png")))
    answer = run("restore", tmp_path / "copy", tmp_path / "again", "--json")
    assert answer.code == 1
    assert [each["fault"] for each in json.loads(answer.out)["problems"]] == ["damaged_blob"]
    with (tmp_path / "copy/dataengine.db").open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(200_000))
    assert_one_line_error(
        run("restore", tmp_path / "copy", tmp_path / "third"), "dataengine.db|database is damaged"
    )


def test_the_commands(workspace: Workspace, tmp_path: Path, run: Command) -> None:
    root = workspace.paths.root
    workspace.close()
    answer = run("-w", root, "backup", tmp_path / "backup")
    assert answer.code == 0
    assert f"Backed up the database, 7 blobs (0.3 MB) to {tmp_path}/backup\n" in answer.out
    answer = run("restore", tmp_path / "backup", tmp_path / "again")
    assert answer.code == 0
    assert f"Made a workspace in {tmp_path}/again\nall is well: 9 blobs" in answer.out
    assert (
        run("-w", tmp_path / "again", "list", "--json").out.replace(
            str(tmp_path / "again"), str(root)
        )
        == run("-w", root, "list", "--json").out
    )


def test_of_a_workspace_that_others_write_to(tmp_path: Path, small_crawl: Path) -> None:
    """Whatever moment it catches, it is whole; and going on from it ends like the undisturbed."""
    root = tmp_path / "workspace"
    work = Run(root, small_crawl, "--workers", "2")
    assert work.wait_until(lambda: work.finished_jobs() > 5)
    made = []
    while work.is_running and len(made) < 5:
        opened = open_by_its_settings(root, read_only=True)
        target = tmp_path / f"backup-{len(made)}"
        back_up(opened, target)
        opened.close()
        made.append(target)
    assert work.end().code == 0
    assert made
    for target in made:
        restored = restore(target, target.with_name(f"{target.name}-again"))
        assert verify_workspace(restored, VerifyRequest()).problems == []
        restored.close()
    again = made[0].with_name(f"{made[0].name}-again")
    assert ingest(again, small_crawl).code == 0
    assert differences(snapshot(root), snapshot(again)) == []
    assert leftovers(again) == []


def test_a_kill_leaves_no_half_of_it(workspace: Workspace, tmp_path: Path) -> None:
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from pipelines.lineage import backup
        from pipelines.workspace.opening import open_workspace

        backup.os.sync = lambda: os.kill(os.getpid(), signal.SIGKILL)
        request = backup.BackUpRequest(out=Path(sys.argv[2]))
        backup.back_up_workspace(open_workspace(sys.argv[1], read_only=True), request)
    """
    command = [sys.executable, "-c", code, str(workspace.paths.root), str(tmp_path / "backup")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "backup").exists()
    assert len(list(tmp_path.glob(".backup.*.partial"))) == 1
    back_up(workspace, tmp_path / "backup")
    assert list(tmp_path.glob(".backup.*.partial")) == []
    with closing(sqlite3.connect(tmp_path / "backup/dataengine.db")) as database:
        assert database.execute("SELECT count(*) FROM owner").fetchone() == (0,)
