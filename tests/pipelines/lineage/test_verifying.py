"""A flipped byte, a missing blob, a row without a blob: each is found and named."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import Forgotten, Image, Mask, Portrait, Release, Run
from pipelines.lineage.blobs import blob_columns
from pipelines.lineage.report import Fault, Report
from pipelines.lineage.verifying import VerifyRequest, verify_folder, verify_workspace
from pipelines.releases.formats import Format
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.blobs import damage, lose
from tests.dataengine.conftest import Run as Command
from tests.dataengine.conftest import run as run
from tests.pipelines.lineage.conftest import Counting, flip, release


def faults(report: Report) -> list[tuple[Fault, str]]:
    return [(problem.fault, problem.what) for problem in report.problems]


def blobs(workspace: Workspace) -> list[str]:
    """Keys of the first portrait's crop, mask and probability."""
    with workspace.engine.begin() as connection:
        query = sa.select(Portrait.blob, Mask.blob, Mask.probability_blob)
        joined = query.join(Mask, Mask.portrait_id == Portrait.id).where(Portrait.id == 1)
        return [str(key) for key in connection.execute(joined).one()]


def change(workspace: Workspace, *statements: str) -> None:
    """Write what no code of ours would: references are not enforced."""
    with closing(sqlite3.connect(workspace.paths.root / "dataengine.db")) as database, database:
        for each in statements:
            database.execute(each)


def test_a_whole_workspace(workspace: Workspace, released: Path) -> None:
    observer = Counting()
    report = verify_workspace(workspace, VerifyRequest(), observer)
    assert (report.problems, report.notes, report.ok) == ([], [], True)
    assert (report.blobs, report.releases, report.runs, report.unnamed) == (9, 1, 1, 0)
    assert report.files == sum(path.is_file() for path in released.rglob("*")) - 1
    assert observer.done == observer.total == report.blobs + report.files
    assert report.references > 15


def test_columns_of_blobs_are_all_known() -> None:
    assert {str(column) for column in blob_columns()} == {
        "portrait.blob", "mask.blob", "mask.probability_blob", "honeypot.shown_blob",
        "negative.blob", "negative.mask_blob",
    }  # fmt: skip


@pytest.mark.parametrize("which", [0, 1, 2])
def test_each_damaged_and_each_missing_blob_is_named(workspace: Workspace, which: int) -> None:
    key = blobs(workspace)[which]
    row = f"{'mask' if which else 'portrait'} 1"
    damage(workspace, key)
    report = verify_workspace(workspace, VerifyRequest())
    # The fake teacher is equally sure of all three: they share this blob, and each row is named.
    rows = 3 if which == 2 else 1
    assert faults(report) == [(Fault.DAMAGED_BLOB, key)] * rows
    assert f"{workspace.store.where(key)}: " in report.problems[0].message
    assert report.problems[0].message.endswith(f"{row} names it")
    lose(workspace, key)
    report = verify_workspace(workspace, VerifyRequest())
    assert faults(report) == [(Fault.MISSING_BLOB, key)] * rows
    assert f"is missing; {row} names it" in report.problems[0].message


def test_rows_that_name_nothing_are_named(workspace: Workspace) -> None:
    nobody = f"masks/00/{'0' * 64}.png"
    change(
        workspace,
        "UPDATE mask SET blob = 'nothing' WHERE id = 1",
        "UPDATE mask SET probability_blob = '../../etc/passwd' WHERE id = 2",
        f"UPDATE mask SET blob = '{nobody}' WHERE id = 3",
    )
    found = faults(verify_workspace(workspace, VerifyRequest()))
    assert sorted(found) == [
        (Fault.MISSING_BLOB, nobody), (Fault.NO_KEY, "mask 1"), (Fault.NO_KEY, "mask 2"),
    ]  # fmt: skip


def test_references_to_nothing_are_named(workspace: Workspace, released: Path) -> None:
    change(
        workspace,
        "UPDATE image SET group_id = 77 WHERE id = 1",
        "UPDATE release_item SET mask_id = 88 WHERE id = 2",
        "UPDATE job SET item_id = 99 WHERE id = 1",
        "DELETE FROM portrait WHERE id = 3",
    )
    report = verify_workspace(workspace, VerifyRequest())
    rows = {what for fault, what in faults(report) if fault == Fault.DANGLING}
    assert rows >= {"image 1", "release_item 2", "job 1", "mask 3", "release_item 3"}
    messages = [problem.message for problem in report.problems]
    assert "image 1: refers to image 77, which is not there" in messages
    assert "job 1: is about source 99, which is not there" in messages


def test_a_forgotten_photo_that_is_here_again_is_named(workspace: Workspace) -> None:
    with workspace.engine.begin() as connection:
        sha256 = connection.scalar(sa.select(Image.sha256).where(Image.id == 2))
        connection.execute(sa.insert(Forgotten).values(sha256=sha256))
    assert faults(verify_workspace(workspace, VerifyRequest())) == [(Fault.REMEMBERED, "image 2")]


def test_blobs_without_a_row_are_only_counted(workspace: Workspace) -> None:
    workspace.store.put(BlobKind.MASK, b"nobody's")
    (workspace.paths.store / "masks/notes.txt").write_text("not a blob")
    report = verify_workspace(workspace, VerifyRequest())
    assert (report.ok, report.unnamed) == (True, 1)


@pytest.mark.parametrize("form", list(Format))
def test_any_byte_of_any_file_of_a_release(workspace: Workspace, form: Format) -> None:
    folder = release(workspace, form=form)
    listed = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in listed:
        before = path.read_bytes()
        flip(path)
        for report in (
            verify_workspace(workspace, VerifyRequest()),
            verify_workspace(workspace, VerifyRequest(release="round-1")),
            verify_folder(folder, workspace=workspace),
        ):
            assert str(path) in {what for _, what in faults(report)}, path
        path.write_bytes(before)
    assert verify_workspace(workspace, VerifyRequest(release="round-1")).ok


def test_files_that_are_gone_or_do_not_belong(workspace: Workspace, released: Path) -> None:
    (gone, *_) = sorted((released / "masks").iterdir())
    gone.unlink()
    (released / "images/extra.jpg").write_bytes(b"x")
    (released / "link").symlink_to("nowhere")
    report = verify_folder(released)
    assert faults(report) == [
        (Fault.MISSING_FILE, str(gone)),
        (Fault.UNLISTED_FILE, str(released / "images/extra.jpg")),
        (Fault.UNLISTED_FILE, str(released / "link")),
    ]


def test_a_release_with_other_checksums_is_another_one(
    workspace: Workspace, released: Path
) -> None:
    """Whoever changes a file can write its checksum, too; the workspace remembers theirs."""
    path = released / "train.txt"
    old = path.read_bytes()
    checksums = released / "checksums.txt"
    path.write_text("someone\n")

    text = checksums.read_text().replace(
        hashlib.sha256(old).hexdigest(), hashlib.sha256(path.read_bytes()).hexdigest()
    )
    checksums.write_text(text)
    assert verify_folder(released).ok
    for report in (
        verify_workspace(workspace, VerifyRequest()),
        verify_folder(released, workspace=workspace),
    ):
        assert faults(report) == [(Fault.CHECKSUMS, str(checksums))]


def test_lines_that_lead_out_of_the_folder_are_refused(released: Path) -> None:
    with (released / "checksums.txt").open("a") as file:
        file.write(f"{'0' * 64}  ../../dataengine.db\n{'0' * 64}  /etc/passwd\nnonsense\n")
    report = verify_folder(released)
    assert [fault for fault, _ in faults(report)] == [Fault.CHECKSUMS] * 3


def test_releases_that_are_gone(workspace: Workspace, released: Path) -> None:
    release(workspace, "export-2", None, "elsewhere/export")
    shutil.rmtree(released)
    shutil.rmtree(workspace.paths.root / "elsewhere")
    report = verify_workspace(workspace, VerifyRequest())
    assert faults(report) == [(Fault.MISSING_RELEASE, "round-1")]
    (note,) = report.notes
    assert note.startswith("export-2: is not at ")
    assert faults(verify_workspace(workspace, VerifyRequest(release="export-2"))) == [
        (Fault.MISSING_RELEASE, "export-2")
    ]


def test_a_release_without_checksums_is_none(workspace: Workspace, released: Path) -> None:
    (released / "checksums.txt").unlink()
    assert faults(verify_workspace(workspace, VerifyRequest())) == [(Fault.CHECKSUMS, "round-1")]
    with pytest.raises(PipelineError, match=r"has no checksums\.txt"):
        verify_folder(released)


def test_an_unfinished_release_is_a_note(workspace: Workspace, released: Path) -> None:
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(Release).values(sealed_at=None))
    report = verify_workspace(workspace, VerifyRequest())
    assert report.ok
    assert report.notes == ["round-1: was never finished; nothing was checked"]
    with pytest.raises(PipelineError, match="never finished"):
        verify_workspace(workspace, VerifyRequest(release="round-1"))
    with pytest.raises(PipelineError, match=r"no such release.* releases: round-1"):
        verify_workspace(workspace, VerifyRequest(release="round-2"))


def test_weights_of_runs(workspace: Workspace, released: Path) -> None:
    checkpoint = workspace.paths.root / "runs/round-1/last.safetensors"
    flip(checkpoint)
    assert faults(verify_workspace(workspace, VerifyRequest())) == [
        (Fault.CHECKPOINT, "runs/round-1")
    ]
    checkpoint.unlink()
    assert faults(verify_workspace(workspace, VerifyRequest())) == [
        (Fault.CHECKPOINT, "runs/round-1")
    ]
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(Run).values(checkpoint_sha256=None))
    assert verify_workspace(workspace, VerifyRequest()).ok, "it is still being trained"


def test_the_command(workspace: Workspace, released: Path, run: Command, tmp_path: Path) -> None:
    here = ("-w", workspace.paths.root)
    answer = run(*here, "verify")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("all is well: 9 blobs, ")
    copy = shutil.copytree(released, tmp_path / "copy")
    assert run("verify", copy).out.startswith("all is well: 1 release, "), "without a workspace"
    assert f"note: {copy}: is the release round-1\n" in run(*here, "verify", copy).out
    flip(copy / "train.txt")
    answer = run("verify", copy)
    assert answer.code == 1
    assert answer.out.startswith(f"{copy}/train.txt: its content is not what was released")
    assert "\n1 problem: " in answer.out
    found = json.loads(run("verify", copy, "--json").out)
    assert (found["ok"], found["problems"][0]["fault"]) == (False, "damaged_file")
    assert run(*here, "verify", "round-1").code == 0
    answer = run(*here, "verify", "round-9")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: round-9: no such release, and no such folder")
