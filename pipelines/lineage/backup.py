"""One folder with all of a workspace as it was at one moment, and back again.

The database is copied first: the blobs its rows name were written before. The folder is made under
another name and renamed when it is whole.
"""

import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db import (
    Release,
    Run,
    WorkspaceRow,
    copy_database,
    find_damage,
    open_engine,
    open_to_read,
    reader,
)
from pipelines.lineage.blobs import count_named, named_blobs
from pipelines.lineage.report import Report
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.folder_store import FOLDER_MARK, FolderStore
from pipelines.workspace.identity import key_of
from pipelines.workspace.opening import open_workspace
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.store import is_key, storage_message
from pipelines.workspace.workspace import DATABASE_FILE, Workspace, WorkspacePaths

_PARTIAL = ".partial"
_URL_LINE = re.compile(r"^(\s*url\s*=.*)$", re.MULTILINE)
_DATABASE_LINE = re.compile(r"^(\s*database\s*=.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class BackUpRequest:
    """Where to.

    Attributes:
        out: folder to make.
    """

    out: Path


@dataclass(frozen=True, kw_only=True)
class RestoreRequest:
    """From where, and where to.

    Attributes:
        backup: folder that `back_up_workspace` made, or a copy of a workspace that nobody was
            writing to.
        out: folder to make.
    """

    backup: Path
    out: Path


@dataclass(kw_only=True)
class BackedUp:
    """What a backup holds.

    Attributes:
        path: of the folder.
        blobs: number of them.
        blob_bytes: their bytes, linked or copied.
        releases: number of folders.
        runs: number of folders.
    """

    path: Path
    blobs: int = 0
    blob_bytes: int = 0
    releases: int = 0
    runs: int = 0


def back_up_workspace(
    workspace: Workspace, request: BackUpRequest, progress: Progress = SILENT
) -> BackedUp:
    """Copy a workspace that others may be writing to.

    Blobs and releases, which never change, are hard links where the disk allows it: such a backup
    outlives mistakes, not the disk.

    Args:
        workspace: opened, if only to read.
        request: where to.
        progress: told of every blob.

    Raises:
        PipelineError: there is something at the target; or what rows name is missing or damaged.
        WorkspaceError: the target cannot be written.
        db.DatabaseError: the database cannot be copied.
    """
    result = BackedUp(path=request.out.absolute())
    with _made(request.out) as partial:
        copy_database(workspace.engine, partial / DATABASE_FILE)
        _let_blobs_be_beside(partial / DATABASE_FILE)
        engine, close = open_to_read(sa.URL.create("sqlite", database=str(partial / DATABASE_FILE)))
        try:
            _copy_blobs(workspace, engine, partial, result, progress)
            _copy_folders(workspace, engine, partial, result)
        finally:
            close()
        _copy_settings(workspace.paths.settings, partial)
    return result


def restore_workspace(request: RestoreRequest, progress: Progress = SILENT) -> Report:
    """Make a workspace of a backup, which stays as it is, and check all of it.

    Args:
        request: from where, and where to.
        progress: told of every blob and every file that is checked.

    Returns:
        As `verify_workspace`.

    Raises:
        PipelineError: the folder is no backup, or there is something at the target.
        WorkspaceError: the target cannot be written.
        db.DatabaseError: the database is damaged.
    """
    backup, target = request.backup, request.out
    found = WorkspacePaths(backup)
    if not found.exists or not (backup / DATABASE_FILE).is_file():
        raise PipelineError(
            f"{backup}: is no backup of a workspace: it lacks {found.settings.name} or "
            f"{DATABASE_FILE}"
        )
    with _made(target) as partial:
        shutil.copytree(backup, partial, dirs_exist_ok=True, symlinks=True)
    workspace = open_workspace(target)
    try:
        damage = find_damage(workspace.engine)
        if damage is not None:
            raise PipelineError(
                f"{target / DATABASE_FILE}: is damaged ({damage}): try another backup"
            )
        return verify_workspace(workspace, VerifyRequest(), progress)
    finally:
        workspace.close()


@contextmanager
def _made(target: Path) -> Iterator[Path]:
    """A folder to fill that gets its name in the end; gone if the block raises."""
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise PipelineError(f"{target}: is there already; nothing is ever written over")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_PARTIAL}")
    try:
        partial.mkdir(parents=True)
        with _locked(partial):
            _clear_leftovers(target)
            yield partial
            os.sync()
            partial.rename(target)
    except OSError as error:
        raise WorkspaceError(storage_message(Path(error.filename or target), error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which the kernel frees however its holder dies.

    Raises:
        BlockingIOError: somebody holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _clear_leftovers(target: Path) -> None:
    """Remove what killed processes were making there."""
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*{_PARTIAL}"):
        try:
            with _locked(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
        except (BlockingIOError, FileNotFoundError):
            continue


def _let_blobs_be_beside(database: Path) -> None:
    """Whatever store the workspace has: its copy's is a folder."""
    engine = open_engine(sa.URL.create("sqlite", database=str(database)))
    try:
        with engine.begin() as connection:
            connection.execute(sa.update(WorkspaceRow).values(store=FOLDER_MARK))
    finally:
        engine.dispose()


def _copy_blobs(
    workspace: Workspace, engine: Engine, partial: Path, result: BackedUp, progress: Progress
) -> None:
    copied = FolderStore(partial / "store", "backup")
    copied.root.mkdir()
    made: set[Path] = set()
    with reader(engine).begin() as connection:
        copied.identify(key_of(connection))
        progress.begin("backing up", count_named(connection), "blobs")
        for blob in named_blobs(connection):
            if not is_key(blob.key):
                raise PipelineError(f"{blob.row}: names {blob.key!r}, which is no blob")
            file = copied.local_path(blob.key)
            if file.parent not in made:
                file.parent.mkdir(parents=True, exist_ok=True)
                made.add(file.parent)
            if not file.exists():  # two rows may name one blob
                workspace.store.copy(blob.key, file, link=True)
                result.blobs += 1
                result.blob_bytes += file.stat().st_size
            progress.advance()
    shutil.rmtree(copied.root / "tmp", ignore_errors=True)


def _copy_folders(workspace: Workspace, engine: Engine, partial: Path, result: BackedUp) -> None:
    """Releases and runs that lie in the workspace; exports elsewhere are their owner's."""
    with reader(engine).begin() as connection:
        sealed = sa.select(Release.path).where(Release.sealed_at.is_not(None))
        releases = set(connection.scalars(sealed))
        runs = set(connection.scalars(sa.select(Run.folder)))
    for folders, copy in ((releases, _link), (runs, shutil.copy2)):
        for folder in sorted(folders):
            source = workspace.paths.root / folder
            if Path(folder).is_absolute() or not source.is_dir():
                continue
            _copy_tree(source, partial / folder, copy)
            result.releases += folders is releases
            result.runs += folders is runs


def _copy_tree(source: Path, target: Path, copy: Callable[[str, str], object]) -> None:
    shutil.copytree(source, target, copy_function=copy, symlinks=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copy2(source, target)


def _copy_settings(settings: Path, partial: Path) -> None:
    """The settings, but for the places of database and blobs: the backup's are beside them."""
    head, bracket, tables = settings.read_text(encoding="utf-8").partition("\n[")
    head = _DATABASE_LINE.sub(r"# \1  # as it was", head)
    before, store, after = tables.rpartition("store]\n") if bracket else ("", "", "")
    if store:
        own, bracket_after, others = after.partition("\n[")
        own = _URL_LINE.sub(r"# \1  # as it was", own)
        tables = before + store + own + bracket_after + others
    (partial / settings.name).write_text(head + bracket + tables, encoding="utf-8")
