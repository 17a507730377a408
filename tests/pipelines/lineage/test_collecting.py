"""gc removes what no row names, and nothing that a process at work is about to name."""

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from db import Owner
from db import owners as rows
from pipelines.lineage.collecting import Collected, CollectRequest, collect_garbage
from pipelines.lineage.report import Report
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.workspace import owners
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.store import BlobKind, is_key
from pipelines.workspace.workspace import Workspace
from tests.dataengine.conftest import Run as Command
from tests.dataengine.conftest import run as run
from tests.pipelines.ingest.conftest import small_crawl as small_crawl
from tests.pipelines.ingest.runs import Run, ingest
from tests.pipelines.lineage.conftest import open_workspace
from tests.snapshots import leftovers


def files(workspace: Workspace) -> set[Path]:
    return {path for path in workspace.paths.store.rglob("*") if path.is_file()}


def sound(workspace: Workspace) -> Report:
    report = verify_workspace(workspace, VerifyRequest())
    assert report.ok
    return report


def test_only_what_no_row_names_goes(workspace: Workspace) -> None:
    before = files(workspace)
    keys = [workspace.store.put(kind, b"nobody's") for kind in BlobKind]
    stray = workspace.paths.store / "masks/ab/notes.txt"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("somebody's own")
    planned = collect_garbage(workspace, CollectRequest(dry_run=True))
    assert planned == Collected(blobs=3, blob_bytes=24)
    assert all(workspace.store.local_path(key).exists() for key in keys)
    assert collect_garbage(workspace, CollectRequest(yes=True)) == planned
    assert files(workspace) == {*before, stray}
    assert collect_garbage(workspace, CollectRequest(yes=True)) == Collected()
    sound(workspace)


def test_a_blob_whose_row_is_not_committed_yet_is_spared(workspace: Workspace) -> None:
    """An ingest at work puts a blob first and names it later."""
    other = open_workspace(workspace.paths.root)
    key = other.store.put(BlobKind.MASK, b"to be named")
    for dry_run in (True, False):
        assert collect_garbage(workspace, CollectRequest(dry_run=dry_run, yes=True)) == Collected(
            spared=1
        )
    assert other.store.get(key) == b"to be named"
    other.close()
    assert collect_garbage(workspace, CollectRequest(yes=True)).blobs == 1, "it never was"


def test_an_old_blob_that_is_asked_for_again_is_spared(workspace: Workspace) -> None:
    """`put` writes nothing where the blob is: it would be named without having been written."""
    key = workspace.store.put(BlobKind.MASK, b"old")
    os.utime(workspace.store.local_path(key), (1, 1))
    other = open_workspace(workspace.paths.root)
    assert other.store.put(BlobKind.MASK, b"old") == key
    assert collect_garbage(workspace, CollectRequest(yes=True)) == Collected(spared=1)
    assert other.store.get(key) == b"old"
    assert files(workspace) == files(other)
    other.close()


def test_a_blob_older_than_everybody_at_work_goes(workspace: Workspace) -> None:
    key = workspace.store.put(BlobKind.MASK, b"old")
    time.sleep(0.05)
    other = open_workspace(workspace.paths.root)
    assert collect_garbage(workspace, CollectRequest(yes=True)).blobs == 1
    assert not workspace.store.local_path(key).exists()
    other.close()


def test_a_put_between_look_and_removal_writes_anew(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = workspace.store.put(BlobKind.MASK, b"old")
    target = workspace.store.local_path(key)
    os.utime(target, (1, 1))
    other = open_workspace(workspace.paths.root)
    rename = Path.rename

    def put_first(self: Path, to: Path) -> Path:
        if self == target:
            monkeypatch.setattr(Path, "rename", rename)
            other.store.put(BlobKind.MASK, b"old")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", put_first)
    assert collect_garbage(workspace, CollectRequest(yes=True)) == Collected(spared=1)
    assert other.store.get(key) == b"old"

    def put_after(self: Path, to: Path) -> Path:
        moved = rename(self, to)
        if self == target:
            monkeypatch.setattr(Path, "rename", rename)
            other.store.put(BlobKind.MASK, b"old")
        return moved

    other.intents.settle()  # what it put, it has named or given up
    monkeypatch.setattr(Path, "rename", put_after)
    assert collect_garbage(workspace, CollectRequest(yes=True)).blobs == 1
    assert other.store.get(key) == b"old"
    other.close()


def test_temporaries_of_the_dead(workspace: Workspace) -> None:
    name = workspace.owner.rsplit("-", 2)[0]
    elsewhere = Owner(
        name="elsewhere-1-00000000",
        host="elsewhere",
        place="another kernel",
        pid=1,
        command="dataengine ingest",
        started_at=datetime.now(UTC),
    )
    with workspace.engine.begin() as connection:
        rows.enter(connection, elsewhere)
    folder = workspace.paths.store / "tmp"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}-1-00000000.0").write_bytes(b"half")
    (folder / f"{workspace.owner}.7").write_bytes(b"being written")
    (folder / "elsewhere-1-00000000.0").write_bytes(b"of another machine")
    assert collect_garbage(workspace, CollectRequest(dry_run=True)) == Collected(
        temporaries=1, temporary_bytes=4
    )
    assert collect_garbage(workspace, CollectRequest(yes=True)) == Collected(
        temporaries=1, temporary_bytes=4
    )
    assert {path.name for path in folder.iterdir()} == {
        f"{workspace.owner}.7", "elsewhere-1-00000000.0",
    }  # fmt: skip
    for _ in range(owners.SILENT_BEATS + 1):
        workspace.presence.beat()
    assert collect_garbage(workspace, CollectRequest(yes=True)) == Collected(
        temporaries=1, temporary_bytes=18
    ), "its heart stopped"


def test_a_blob_that_cannot_be_removed_is_named(workspace: Workspace) -> None:
    workspace.store.put(BlobKind.MASK, b"old")
    (workspace.paths.store / "tmp").rmdir()
    (workspace.paths.store / "tmp").write_text("a file")
    with pytest.raises(WorkspaceError, match="cannot be"):
        collect_garbage(workspace, CollectRequest(yes=True))


def test_the_command(workspace: Workspace, run: Command) -> None:
    workspace.store.put(BlobKind.MASK, b"x" * 1_500_000)
    workspace.close()
    root = workspace.paths.root
    assert run("-w", root, "gc", "--dry-run").out == "Would remove 1 blob, 1.5 MB\n"
    found = json.loads(run("-w", root, "gc", "--json").out)
    assert (found["blobs"], found["dry_run"]) == (1, False)
    assert run("-w", root, "gc").out == "Removed 0 blobs, 0.0 MB\n"
    assert leftovers(root) == []


@pytest.mark.parametrize(
    "text", ["", "masks", "masks/ab/x.png", f"masks/ab/{'0' * 64}.png", f"tmp/00/{'0' * 64}.png"]
)
def test_what_is_no_key(text: str) -> None:
    assert not is_key(text)
    assert is_key(f"masks/00/{'0' * 64}.png")
    assert not is_key(f"masks/00/{'0' * 64}.jpg")


def test_beside_an_ingest(tmp_path: Path, small_crawl: Path) -> None:
    """Whatever gc sees half-done, no row ever names a blob that it took."""
    root = tmp_path / "workspace"
    ingest(root, next(small_crawl.glob("made/*.png")))
    # Blobs of a run that was lost before its rows: old, unnamed, and about to be asked for again.
    # Copied before the database is open here: a copy's end frees SQLite's locks on it.
    shutil.copytree(root, tmp_path / "lost")
    ingest(tmp_path / "lost", small_crawl)
    shutil.copytree(tmp_path / "lost/store", root / "store", dirs_exist_ok=True)
    workspace = open_workspace(root)
    for path in files(workspace):
        os.utime(path, (1, 1))
    run = Run(root, small_crawl, "--workers", "2")
    assert run.wait_until(lambda: run.finished_jobs() > 5)
    removed = 0
    while run.is_running:
        removed += collect_garbage(workspace, CollectRequest(yes=True)).blobs
    assert run.end().code == 0
    assert removed > 0
    assert verify_workspace(workspace, VerifyRequest()).problems == []
    assert collect_garbage(workspace, CollectRequest(yes=True)).spared == 0
    workspace.close()
    assert leftovers(root) == []
