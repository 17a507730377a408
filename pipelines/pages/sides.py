"""The two sides of a comparison: releases by name, by round, or as folders, whole or refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Release, Run, reader
from pipelines.lineage.checksums import checksum_of
from pipelines.lineage.verifying import verify_folder
from pipelines.releases.building import SealedRelease, find_release, read_manifest, release_path
from pipelines.releases.entry import Entry
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import Progress
from pipelines.workspace.workspace import Workspace

_NAMED_AT_MOST: Final = 10


@dataclass(frozen=True, kw_only=True)
class Side:
    """A release that is compared.

    Attributes:
        name: as the workspace knows it, or its folder.
        folder: where it lies.
        checksum: of it.
        release: as the workspace remembers it; None: it is none of this workspace.
        run: folder of its latest run that was measured; None: there is none.
        entries: its members by name.
    """

    name: str
    folder: Path
    checksum: str
    release: SealedRelease | None
    run: Path | None
    entries: dict[str, Entry]


def read_side(workspace: Workspace | None, what: str, progress: Progress) -> Side:
    """Find a release and read it.

    Args:
        workspace: opened; None: there is none, and only folders can be read.
        what: its name, the number of its round, or its folder.
        progress: told of every file that is checked.

    Raises:
        PipelineError: there is no such release, or it is damaged.
    """
    release = None
    if Path(what).is_dir():
        folder = Path(what)
        checksum = checksum_of(folder)
        if workspace is not None:
            with reader(workspace.engine).begin() as connection:
                release = find_release(connection, Release.checksum == checksum)
    else:
        release = _by_name(workspace, what)
        assert workspace is not None  # else there was no such release
        folder = release_path(workspace, release)
        checksum = release.checksum
        if not folder.is_dir():
            raise PipelineError(f"{what}: its folder {folder} is gone")
    _require_whole(folder, checksum, progress)
    run = None
    if workspace is not None and release is not None:
        with reader(workspace.engine).begin() as connection:
            run = _latest_run(connection, workspace, release.id)
    return Side(
        name=release.name if release is not None else str(folder),
        folder=folder,
        checksum=checksum,
        release=release,
        run=run,
        entries=_by_entry_name(read_manifest(folder)),
    )


def _by_name(workspace: Workspace | None, what: str) -> SealedRelease:
    if workspace is None:
        raise PipelineError(f"{what}: no such folder, and no workspace that could know the name")
    is_round = what.isascii() and what.isdigit()
    name = f"round-{int(what)}" if is_round else what
    with reader(workspace.engine).begin() as connection:
        found = find_release(connection, Release.name == name)
        if found is not None:
            return found
        query = sa.select(Release.name).where(Release.sealed_at.is_not(None))
        known = list(connection.scalars(query.order_by(Release.id.desc()).limit(_NAMED_AT_MOST)))
    there = ", ".join(known) or "there are none"
    kind = "round was frozen under this number" if is_round else "release, and no such folder"
    raise PipelineError(f"{what}: no such {kind}; releases: {there}")


def _require_whole(folder: Path, checksum: str, progress: Progress) -> None:
    report = verify_folder(folder, progress, checksum=checksum)
    if report.problems:
        more = len(report.problems) - 1
        others = f" (and {more:,} more faults; `dataengine verify` names them)" if more else ""
        raise PipelineError(f"{report.problems[0].message}{others}")


def _latest_run(connection: Connection, workspace: Workspace, release_id: int) -> Path | None:
    query = (
        sa.select(Run.folder)
        .where(Run.release_id == release_id, Run.finished_at.is_not(None))
        .order_by(Run.id.desc())
    )
    folder = connection.scalars(query.limit(1)).first()
    return None if folder is None else workspace.paths.root / folder


def _by_entry_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}
