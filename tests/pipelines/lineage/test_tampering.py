"""Whoever tampers with a release is found out, whatever they change, remove or put in its place."""

import hashlib
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import Decision, Review
from pipelines.lineage.report import Fault, Report
from pipelines.lineage.verifying import VerifyRequest, verify_folder, verify_workspace
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace
from tests.dataengine.conftest import Run
from tests.dataengine.conftest import run as run

Tamper = Callable[[Path], None]


def checksums(folder: Path) -> dict[str, str]:
    """Hashes by path."""
    lines = (folder / "checksums.txt").read_text().splitlines()
    return {line[66:]: line[:64] for line in lines}


def write(folder: Path, listed: dict[str, str]) -> None:
    text = "".join(f"{sha256}  {name}\n" for name, sha256 in listed.items())
    (folder / "checksums.txt").write_text(text)


def first(folder: Path, kind: str) -> Path:
    return sorted((folder / kind).iterdir())[0]


def link_for_a_file(folder: Path) -> None:
    file = first(folder, "masks")
    file.rename(folder.parent / "elsewhere.png")
    file.symlink_to(folder.parent / "elsewhere.png")


def link_for_a_folder(folder: Path) -> None:
    (folder / "images").rename(folder.parent / "elsewhere")
    (folder / "images").symlink_to(folder.parent / "elsewhere")


def link_to_nothing(folder: Path) -> None:
    first(folder, "images").unlink()
    first(folder, "images").with_name("gone.jpg").symlink_to("nowhere")


def link_for_the_checksums(folder: Path) -> None:
    file = folder / "checksums.txt"
    file.rename(folder.parent / "elsewhere.txt")
    file.symlink_to(folder.parent / "elsewhere.txt")


def link_for_the_release(folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def circle_of_links(folder: Path) -> None:
    (folder / "images" / "round").symlink_to(folder)


def pipe_for_a_file(folder: Path) -> None:
    first(folder, "masks").unlink()
    os.mkfifo(folder / "masks" / "pipe.png")


def pipe_under_a_files_name(folder: Path) -> None:
    file = first(folder, "masks")
    file.unlink()
    os.mkfifo(file)


def pipe_for_the_checksums(folder: Path) -> None:
    (folder / "checksums.txt").unlink()
    os.mkfifo(folder / "checksums.txt")


def folder_for_a_file(folder: Path) -> None:
    file = first(folder, "masks")
    file.unlink()
    file.mkdir()


def edit_with_its_checksum(folder: Path) -> None:
    file, listed = folder / "train.txt", checksums(folder)
    file.write_text("someone\n")
    write(folder, {**listed, "train.txt": hashlib.sha256(b"someone\n").hexdigest()})


def remove_with_its_line(folder: Path) -> None:
    file, listed = first(folder, "masks"), checksums(folder)
    file.unlink()
    del listed[file.relative_to(folder).as_posix()]
    write(folder, listed)


def remove_everything_with_its_line(folder: Path) -> None:
    for each in list(folder.iterdir()):
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    write(folder, {})


def remove_everything(folder: Path) -> None:
    for each in list(folder.iterdir()):
        shutil.rmtree(each) if each.is_dir() else each.unlink()


def add_with_its_line(folder: Path) -> None:
    (folder / "images" / "new.jpg").write_bytes(b"new")
    new = {"images/new.jpg": hashlib.sha256(b"new").hexdigest()}
    write(folder, checksums(folder) | new)


def swap_two(folder: Path) -> None:
    one, other, *_ = sorted((folder / "masks").iterdir())
    one.rename(folder / "x")
    other.rename(one)
    (folder / "x").rename(other)


def lines_in_another_order(folder: Path) -> None:
    write(folder, dict(reversed(checksums(folder).items())))


def a_line_twice(folder: Path) -> None:
    with (folder / "checksums.txt").open("a") as file:
        file.write(f"{'0' * 64}  train.txt\n")


def a_name_in_other_letters(folder: Path) -> None:
    (folder / "train.txt").rename(folder / "Train.txt")


WAYS = [
    link_for_a_file, link_for_a_folder, link_to_nothing, link_for_the_checksums,
    link_for_the_release, circle_of_links, pipe_for_a_file, pipe_under_a_files_name,
    pipe_for_the_checksums, folder_for_a_file, edit_with_its_checksum, remove_with_its_line,
    remove_everything_with_its_line, remove_everything, add_with_its_line, swap_two,
    lines_in_another_order, a_line_twice, a_name_in_other_letters,
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tamper", WAYS, ids=lambda way: way.__name__)
def test_every_tampering_is_found(
    workspace: Workspace, released: Path, run: Run, tamper: Tamper
) -> None:
    assert verify_workspace(workspace, VerifyRequest(release="round-1")).ok
    tamper(released)
    assert not verify_workspace(workspace, VerifyRequest(release="round-1")).ok
    assert not verify_workspace(workspace, VerifyRequest()).ok
    assert not _verified(released, workspace).ok
    for what in ("round-1", released):
        answer = run("-w", workspace.paths.root, "verify", what)
        assert answer.code == 1
        assert "all is well" not in answer.out
        assert str(released) in answer.out + answer.err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tamper", WAYS, ids=lambda way: way.__name__)
def test_a_copy_that_was_tampered_with_does_not_pass_as_a_release(
    workspace: Workspace, released: Path, run: Run, tamper: Tamper, tmp_path: Path
) -> None:
    copy = tmp_path / "far away" / "copy"
    shutil.copytree(released, copy)
    here = ("-w", workspace.paths.root, "verify", copy)
    checksum = hashlib.sha256((released / "checksums.txt").read_bytes()).hexdigest()
    assert run(*here).code == run("verify", copy, "--checksum", checksum).code == 0
    if tamper is link_for_the_release:
        return  # a copy may lie wherever a link leads
    tamper(copy)
    assert run(*here).code in (1, 3)
    assert run("verify", copy, "--checksum", checksum).code == 1


def _verified(folder: Path, workspace: Workspace) -> Report:
    try:
        return verify_folder(folder, workspace=workspace)
    except PipelineError as error:
        report = Report()
        report.add(Fault.CHECKSUMS, str(folder), str(error))
        return report


def test_a_release_of_another_workspace_has_its_own_exit_code(
    workspace: Workspace, released: Path, run: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "theirs"
    shutil.copytree(released, copy)
    edit_with_its_checksum(copy)
    answer = run("-w", workspace.paths.root, "verify", copy)
    assert answer.code == 3
    assert "this workspace never sealed such a release" in answer.out
    theirs = hashlib.sha256((copy / "checksums.txt").read_bytes()).hexdigest()
    known = run("-w", workspace.paths.root, "verify", copy, "--checksum", theirs)
    assert (known.code, f"checksum {theirs}\n" in known.out) == (0, True)
    assert run("verify", "round-1", "--checksum", theirs).code == 2


def test_what_export_prints_is_what_verify_asks_for(
    workspace: Workspace, run: Run, tmp_path: Path
) -> None:
    root, out = workspace.paths.root, tmp_path / "out"
    accepted = {"mask_id": 1, "decision": Decision.ACCEPT, "reviewer": "ann", "reasons": []}
    with workspace.engine.begin() as connection:
        connection.execute(sa.insert(Review).values(**accepted, decided_at=datetime.now(UTC)))
    workspace.close()
    answer = run("-w", root, "export", "--out", out)
    assert answer.code == 0, answer.err
    (line,) = (each for each in answer.out.splitlines() if each.startswith("checksum "))
    assert run("verify", out, "--checksum", line.split()[1]).code == 0


@pytest.mark.timeout(60)
def test_a_pipe_for_a_blob_or_weights_is_an_error_and_no_wait(
    workspace: Workspace, released: Path
) -> None:
    weights = workspace.paths.root / "runs/round-1/last.safetensors"
    weights.unlink()
    os.mkfifo(weights)
    blob = next(path for path in workspace.paths.store.rglob("*.jpg"))
    blob.unlink()
    os.mkfifo(blob)
    found = {problem.fault for problem in verify_workspace(workspace, VerifyRequest()).problems}
    assert found == {Fault.CHECKPOINT, Fault.MISSING_BLOB}
