"""Writing a release: in a temporary folder, checksums last, then renamed into place.

Its rows are written just before the renaming and sealed just after it, so that wherever the process
dies, the next one can tell from the folder which of the two is true.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Release, ReleaseItem, chunks, reader
from pipelines.releases.attribution import write_attribution
from pipelines.releases.entry import Entry
from pipelines.releases.formats import Format, describe, write
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.exclusive import exclusive
from pipelines.workspace.store import storage_message
from pipelines.workspace.workspace import Workspace
from sinet.files.releases import CHECKSUMS_FILE, MANIFEST_FILE
from sinet.json_text import to_json

WriteCard = Callable[[Path], None]
"""Writes card.md and its pictures into a folder."""

_PARTIAL = ".partial"
_ROWS = 10_000
"""In memory at once, as dictionaries."""


@dataclass(frozen=True, kw_only=True)
class SealedRelease:
    """A release that was written to its end; fields as in `db.Release`."""

    id: int
    name: str
    round: int | None
    path: str
    format: str
    checksum: str


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """One release at a time in a workspace; what a dead process left half-done is settled first.

    Raises:
        BusyError: another one is being written.
    """
    with exclusive(workspace, "release", "another release is being written"):
        _settle(workspace)
        yield


def check_target(workspace: Workspace, target: Path) -> None:
    """Refuse to write over anything; an empty folder may be there.

    Raises:
        PipelineError: there is something.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise PipelineError(f"{target}: is there already and no folder; choose another name")
    if target.is_dir() and any(target.iterdir()):
        with reader(workspace.engine).begin() as connection:
            known = find_release(connection, Release.path == _remembered_path(workspace, target))
        whole = "" if known is None else f", whole, as {known.name}"
        raise PipelineError(
            f"{target}: is there already{whole}; a release never overwrites anything"
        )


def build(
    workspace: Workspace,
    target: Path,
    entries: Sequence[Entry],
    form: Format,
    write_card: WriteCard,
    round_number: int | None = None,
    workers: int = 1,
) -> SealedRelease:
    """Write a release and remember it; `alone` must be held.

    Args:
        workspace: opened.
        target: folder to make.
        entries: its members, in order.
        form: how it is laid out.
        write_card: called with the folder, after the data is in it.
        round_number: of the round whose frozen set this is.
        workers: as `formats.write`.

    Returns:
        What is remembered of it.

    Raises:
        PipelineError: there is something at the target.
        WorkspaceError: a blob is missing or damaged, or the disk is full.
    """
    check_target(workspace, target)
    _clear_leftovers(target)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_PARTIAL}")
    try:
        partial.mkdir(parents=True)
        write(form, partial, entries, workspace.store, workers)
        with (partial / MANIFEST_FILE).open("w", encoding="utf-8") as file:
            for entry in entries:
                file.write(f"{to_json(entry.manifest(), sort_keys=True)}\n")
        write_attribution(partial, entries)
        write_card(partial)
        describe(form, partial, entries, workspace.settings.release.licence)
        # Everything else is on the disk before the file that says so.
        os.sync()
        checksum = write_checksums(partial)
        release_id = _remember(workspace, target, entries, form, checksum, round_number)
        partial.rename(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise WorkspaceError(storage_message(target, error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    with workspace.engine.begin() as connection:
        _seal(connection, release_id)
        sealed = find_release(connection, Release.id == release_id)
    assert sealed is not None
    return sealed


def find_release(connection: Connection, condition: sa.ColumnElement[bool]) -> SealedRelease | None:
    """The sealed release that meets a condition on `db.Release`, if there is one."""
    columns = [Release.__table__.c[field.name] for field in fields(SealedRelease)]
    query = sa.select(*columns).where(condition, Release.sealed_at.is_not(None))
    row = connection.execute(query).first()
    return None if row is None else SealedRelease(**row._mapping)


def release_path(workspace: Workspace, row: SealedRelease) -> Path:
    """Absolute folder of a release."""
    return workspace.paths.root / row.path


def read_manifest(folder: Path) -> Iterator[Entry]:
    """Members of a release, as they are read.

    Raises:
        PipelineError: its manifest is missing or damaged.
    """
    file = folder / MANIFEST_FILE
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield Entry.from_manifest(json.loads(line))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{file}: cannot be read ({error}); try `dataengine verify`") from error


def write_checksums(folder: Path) -> str:
    """Write checksums.txt, as `sha256sum` does, and return its own SHA-256."""
    whole = hashlib.sha256()
    with (folder / CHECKSUMS_FILE).open("wb") as out:
        for name in _files(folder):
            line = f"{_sha256(folder / name)}  {name}\n".encode()
            whole.update(line)
            out.write(line)
        out.flush()
        os.fsync(out.fileno())
    return whole.hexdigest()


def _files(folder: Path, below: str = "") -> Iterator[str]:
    """Paths of all files within a folder but its checksums, in the order of their parts."""
    with os.scandir(folder / below) as found:
        entries = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in found)
    for name, is_folder in entries:
        if is_folder:
            yield from _files(folder, f"{below}{name}/")
        elif below or name != CHECKSUMS_FILE:
            yield f"{below}{name}"


def _remember(
    workspace: Workspace,
    target: Path,
    entries: Sequence[Entry],
    form: Format,
    checksum: str,
    round_number: int | None,
) -> int:
    """Write the rows of a release that is not in place yet."""
    values = {
        "name": f"pending-{secrets.token_hex(8)}",
        "round": round_number,
        "path": _remembered_path(workspace, target),
        "format": str(form),
        "checksum": checksum,
    }
    with workspace.engine.begin() as connection:
        release_id = connection.scalars(
            sa.insert(Release).values(values).returning(Release.id)
        ).one()
        name = f"export-{release_id}" if round_number is None else f"round-{round_number}"
        connection.execute(sa.update(Release).where(Release.id == release_id).values(name=name))
        for piece in chunks(entries, _ROWS):
            connection.execute(sa.insert(ReleaseItem), [_item(release_id, each) for each in piece])
    return release_id


def _item(release_id: int, entry: Entry) -> dict[str, Any]:
    return {
        "release_id": release_id,
        "name": entry.name,
        "portrait_id": entry.portrait_id,
        "mask_id": entry.mask_id,
        "split": entry.split,
        "trust": entry.trust,
        "image_sha256": entry.image_sha256,
        "mask_sha256": entry.mask_sha256,
    }


def _remembered_path(workspace: Workspace, target: Path) -> str:
    """Relative to the workspace if it is in it, so that both can move."""
    root, path = workspace.paths.root, target.absolute()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _settle(workspace: Workspace) -> None:
    """Seal the releases whose folder is in place, and forget those whose folder never was."""
    unsealed = sa.select(Release.id, Release.path, Release.checksum).where(
        Release.sealed_at.is_(None)
    )
    with workspace.engine.begin() as connection:
        for release_id, path, checksum in connection.execute(unsealed).all():
            target = workspace.paths.root / path
            checksums = target / CHECKSUMS_FILE
            if checksums.is_file() and _sha256(checksums) == checksum:
                _seal(connection, release_id)
            else:
                of_it = ReleaseItem.release_id == release_id
                connection.execute(sa.delete(ReleaseItem).where(of_it))
                connection.execute(sa.delete(Release).where(Release.id == release_id))
            _clear_leftovers(target)


def _clear_leftovers(target: Path) -> None:
    """Remove what dead processes were writing there: only one is alive, and it has not begun."""
    for leftover in target.parent.glob(f".{target.name}.*{_PARTIAL}"):
        shutil.rmtree(leftover, ignore_errors=True)


def _seal(connection: Connection, release_id: int) -> None:
    sealed = sa.update(Release).where(Release.id == release_id)
    connection.execute(sealed.values(sealed_at=datetime.now(UTC)))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
