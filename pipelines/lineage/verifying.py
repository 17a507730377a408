"""Whether everything a workspace says is still so: blobs, references, releases, runs."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    ITEM_TABLES,
    Admitted,
    Base,
    Forgotten,
    Image,
    JobRow,
    Release,
    ReleaseItem,
    Run,
    reader,
)
from pipelines.lineage.blobs import NamedBlob, count_named, digests, named_blobs, unnamed
from pipelines.lineage.checksums import check_release, checksum_of
from pipelines.lineage.hashing import hash_blobs
from pipelines.lineage.report import Fault, Report
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.files import open_regular
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.store import digest_of, is_key
from pipelines.workspace.workspace import Workspace
from sinet.files.releases import CHECKSUMS_FILE
from sinet.run_files import WEIGHTS_FILE

_NAMED_AT_MOST = 1000


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """What to check.

    Attributes:
        release: only this one, by its name; None: the whole workspace.
    """

    release: str | None = None


def verify_workspace(
    workspace: Workspace, request: VerifyRequest, progress: Progress = SILENT
) -> Report:
    """Check every blob a row names, every reference, every sealed release and every run's weights.

    Or only one release. May run beside an ingest: it sees the rows of one moment, whose blobs were
    written before.

    Args:
        workspace: opened.
        request: what to check.
        progress: told of every blob and every file.

    Raises:
        PipelineError: there is no release of this name, or it was never finished.
    """
    started = time.monotonic()
    if request.release is None:
        report = _verify_all(workspace, progress)
    else:
        report = _verify_release(workspace, request.release, progress)
    report.seconds = time.monotonic() - started
    return report


def verify_folder(
    folder: Path,
    progress: Progress = SILENT,
    *,
    workspace: Workspace | None = None,
    checksum: str | None = None,
) -> Report:
    """Check the folder of a release, wherever it was copied to.

    Whoever changes a file can change its checksums.txt, too. Only who remembers what that was when
    the release was sealed can tell: the workspace, or whoever kept what `export` printed.

    Args:
        folder: with its checksums.txt.
        progress: told of every file.
        workspace: the one that may have made it: then it must be one of its releases, that one if
            it lies where it was written, and forgotten photos in it are noted.
        checksum: of the release that it has to be.

    Raises:
        PipelineError: the folder has no checksums.txt.
    """
    report, started = Report(), time.monotonic()
    check_release(folder, report, progress)
    report.seconds = time.monotonic() - started
    found = report.checksum = checksum_of(folder)
    if checksum is not None and found != checksum.lower():
        path = str(folder / CHECKSUMS_FILE)
        message = f"{path}: has the checksum {found}, not the one that was asked for"
        report.add(Fault.CHECKSUMS, path, message)
    if workspace is None:
        return report
    report.never_sealed = found != (checksum or "").lower()
    with reader(workspace.engine).begin() as connection:
        for row in _releases(connection):
            here = _folder(workspace, row.path)
            if _is_same(here, folder):
                report.never_sealed = False
                _require_own_folder(here, row.name, report)
            if row.sealed_at is not None and row.checksum == found:
                report.never_sealed = False
                report.notes.append(f"{folder}: is the release {row.name}")
                _note_forgotten(row.name, forgotten_items(connection, row.id), report)
            elif _is_same(here, folder):
                _add_another(folder, row.name, report)
    return report


def _verify_all(workspace: Workspace, progress: Progress) -> Report:
    report = Report()
    with reader(workspace.engine).begin() as connection:
        _check_references(connection, report)
        _check_jobs(connection, report)
        _check_tombstones(connection, report)
        _check_blobs(connection, workspace, report, progress)
        named = digests(blob.key for blob in named_blobs(connection))
        report.unnamed = sum(1 for _ in unnamed(workspace.store.keys(), named))
        releases = _releases(connection)
        query = sa.select(Run.folder, Run.checkpoint_sha256).order_by(Run.id)
        runs = [(row.folder, row.checkpoint_sha256) for row in connection.execute(query)]
        tombstones = {row.id: forgotten_items(connection, row.id) for row in releases}
    for row in releases:
        if row.sealed_at is None:
            report.notes.append(f"{row.name}: was never finished; nothing was checked")
            continue
        _check_sealed(workspace, row, report, progress)
        _note_forgotten(row.name, tombstones[row.id], report)
    _check_runs(workspace, runs, report)
    return report


def _verify_release(workspace: Workspace, name: str, progress: Progress) -> Report:
    report = Report()
    with reader(workspace.engine).begin() as connection:
        releases = {row.name: row for row in _releases(connection)}
        row = releases.get(name)
        if row is None:
            known = ", ".join(releases) or "there are none"
            raise PipelineError(f"{name}: no such release, and no such folder; releases: {known}")
        forgotten = forgotten_items(connection, row.id)
    if row.sealed_at is None:
        raise PipelineError(f"{name}: was never finished; run the command that makes it again")
    _check_sealed(workspace, row, report, progress, must_exist=True)
    _note_forgotten(name, forgotten, report)
    return report


def _check_blobs(
    connection: Connection, workspace: Workspace, report: Report, progress: Progress
) -> None:
    store = workspace.store

    def keys() -> Iterator[tuple[NamedBlob, str]]:
        for blob in named_blobs(connection):
            if is_key(blob.key):
                yield blob, blob.key
            else:
                message = f"{blob.row}: names {blob.key!r}, which is no blob"
                report.add(Fault.NO_KEY, blob.row, message)

    progress.begin("checking blobs", count_named(connection), "blobs")
    for found in hash_blobs(keys(), store):
        blob = found.item
        where = store.where(blob.key)
        if found.sha256 is None:
            message = found.error or f"{where}: this blob is missing; {blob.row} names it"
            report.add(Fault.MISSING_BLOB, blob.key, message)
        elif found.sha256 != digest_of(blob.key):
            message = f"{where}: this blob is damaged: not what its name says; {blob.row} names it"
            report.add(Fault.DAMAGED_BLOB, blob.key, message)
        report.blobs += 1
        report.bytes += found.size_bytes
        progress.advance(1, report.read)


def _check_references(connection: Connection, report: Report) -> None:
    """Every foreign key by a join: SQLite enforces them only where it was told to."""
    for table in Base.metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            target = key.column.table.alias()
            there = sa.exists().where(target.c.id == key.parent)
            own = tuple(table.primary_key.columns)
            query = sa.select(*own, key.parent).where(key.parent.is_not(None), ~there)
            for *numbers, value in connection.execute(query.limit(_NAMED_AT_MOST)):
                row = f"{table.name} {' '.join(map(str, numbers))}"
                message = f"{row}: refers to {key.column.table.name} {value}, which is not there"
                report.add(Fault.DANGLING, row, message)
            report.references += 1


def _check_jobs(connection: Connection, report: Report) -> None:
    """Jobs name their items without a foreign key."""
    for stage, table in ITEM_TABLES.items():
        item = table.__table__.alias()
        there = sa.exists().where(item.c.id == JobRow.item_id)
        query = sa.select(JobRow.id, JobRow.item_id).where(JobRow.stage == stage, ~there)
        for number, value in connection.execute(query.limit(_NAMED_AT_MOST)):
            name = table.__tablename__
            message = f"job {number}: is about {name} {value}, which is not there"
            report.add(Fault.DANGLING, f"job {number}", message)
        report.references += 1


def _check_tombstones(connection: Connection, report: Report) -> None:
    query = sa.select(Image.id, Image.sha256).join(Forgotten, Forgotten.sha256 == Image.sha256)
    query = query.where(Image.sha256.not_in(sa.select(Admitted.sha256)))
    for number, sha256 in connection.execute(query):
        message = f"image {number}: was forgotten and is here again: `dataengine forget {sha256}`"
        report.add(Fault.REMEMBERED, f"image {number}", message)


def _releases(connection: Connection) -> list[Any]:
    return list(connection.execute(sa.select(Release.__table__).order_by(Release.id)))


def _check_sealed(
    workspace: Workspace,
    row: Any,
    report: Report,
    progress: Progress,
    *,
    must_exist: bool = False,
) -> None:
    folder = _folder(workspace, row.path)
    if not folder.is_dir():
        if row.round is None and not must_exist:
            # An export is its owner's to move or delete; a round's release is not.
            where = "`dataengine verify FOLDER` checks it where it is now"
            report.notes.append(f"{row.name}: is not at {folder} any more; {where}")
        else:
            message = f"{folder}: the folder of the release {row.name} is not there"
            report.add(Fault.MISSING_RELEASE, row.name, message)
        return
    _require_own_folder(folder, row.name, report)
    try:
        is_same = checksum_of(folder) == row.checksum
        check_release(folder, report, progress)
    except PipelineError as error:
        report.add(Fault.CHECKSUMS, row.name, str(error))
        return
    if not is_same:
        _add_another(folder, row.name, report)


def _require_own_folder(folder: Path, name: str, report: Report) -> None:
    if folder.is_symlink():
        message = f"{folder}: is a link, not the folder that the release {name} was written to"
        report.add(Fault.NOT_A_FILE, str(folder), message)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are one place, as they are written or by where they lead."""
    return one.absolute() == other.absolute() or one.resolve() == other.resolve()


def _add_another(folder: Path, name: str, report: Report) -> None:
    path = str(folder / CHECKSUMS_FILE)
    message = f"{path}: is not the one that the release {name} was sealed with"
    report.add(Fault.CHECKSUMS, path, message)


def forgotten_items(connection: Connection, release_id: int) -> list[str]:
    """Names of a release's members whose photos were forgotten since."""
    query = sa.select(ReleaseItem.name).where(
        ReleaseItem.release_id == release_id, ReleaseItem.forgotten_id.is_not(None)
    )
    return list(connection.scalars(query.order_by(ReleaseItem.name)))


def _note_forgotten(name: str, items: list[str], report: Report) -> None:
    if items:
        shown = ", ".join(items[:5]) + (", …" if len(items) > 5 else "")
        report.notes.append(f"{name}: contains {len(items):,} forgotten since: {shown}")


def _check_runs(workspace: Workspace, runs: list[tuple[str, str | None]], report: Report) -> None:
    for folder, expected in runs:
        if expected is None:
            continue
        path = workspace.paths.root / folder / WEIGHTS_FILE
        try:
            with open_regular(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                report.bytes += file.tell()
        except OSError as error:
            message = f"{path}: the weights of {folder} cannot be read ({error.strerror or error})"
            report.add(Fault.CHECKPOINT, folder, message)
        else:
            if digest != expected:
                message = f"{path}: are not the weights that {folder} ended with"
                report.add(Fault.CHECKPOINT, folder, message)
        report.runs += 1


def _folder(workspace: Workspace, path: str) -> Path:
    return workspace.paths.root / path
