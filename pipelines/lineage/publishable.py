"""What may be published: releases that are whole, allowed, and of which nothing was forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from db import Release, reader
from pipelines.lineage.checksums import checksum_of
from pipelines.lineage.report import Report
from pipelines.lineage.verifying import (
    VerifyRequest,
    forgotten_items,
    verify_folder,
    verify_workspace,
)
from pipelines.releases.building import SealedRelease, find_release, read_manifest, release_path
from pipelines.releases.exporting import refused_photos
from pipelines.releases.formats import Format
from pipelines.releases.formats.hf import stated_licence
from pipelines.releases.rights import rights_of
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import Progress
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class PublishRequest:
    """What to publish.

    Attributes:
        repo: ``OWNER/NAME`` on the Hub, made if it is not there; or URL of a folder in a bucket.
        release: its name, or the folder it lies in; None: the latest. The Hub wants format `hf`.
        public: everybody may see it; of a bucket its own settings say that.
        dry_run: only find out what would be done.
    """

    repo: str
    release: str | None = None
    public: bool = False
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was done, or of a dry run: would be.

    Attributes:
        repo: as `PublishRequest.repo`.
        url: its page, or the folder.
        public: everybody may see it; None: the bucket's settings say that.
        release: name, which is the tag's, too.
        checksum: of the release.
        commit: that the tag is at; None: there is none yet, or there are none.
        created: the repository, or the folder, had to be made.
        changed: files had to be sent.
        tagged: the tag, or in a bucket the checksums that make it whole, had to be written.
        files: of the release, by their paths in it, with their sizes in bytes.
        removed: files of an earlier release that went.
    """

    repo: str
    url: str
    public: bool | None
    release: str
    checksum: str
    commit: str | None
    created: bool
    changed: bool
    tagged: bool
    files: dict[str, int]
    removed: Sequence[str]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(self.files.values())


@dataclass(frozen=True, kw_only=True)
class Publishable:
    """A release that was found well.

    Attributes:
        row: what is remembered of it.
        folder: where it lies.
    """

    row: SealedRelease
    folder: Path


def publishable(
    workspace: Workspace, wanted: str | None, form: Format | None, progress: Progress
) -> Publishable:
    """Find a release, and check all of it.

    Args:
        workspace: opened.
        wanted: its name, or the folder it lies in; None: the latest.
        form: that it must have; None: any.
        progress: told of every file.

    Raises:
        PipelineError: there is none, it is damaged, holds what was forgotten, or what the policy
            refuses.
    """
    row, folder = _find(workspace, wanted, form)
    _require_whole(workspace, row, folder, wanted, progress)
    require_remembered(workspace, row)
    refused = refused_photos(workspace)
    if names := [each.name for each in read_manifest(folder) if each.photo_sha256 in refused]:
        raise PipelineError(
            f"{row.name} holds {len(names):,} portraits that [policy] refuses ({names[0]}, …) and "
            f"is not published; `{_export(row.format)}` writes one without"
        )
    return Publishable(row=row, folder=folder)


def require_remembered(workspace: Workspace, row: SealedRelease) -> None:
    """Look once more whether a photo in a release was forgotten.

    Raises:
        PipelineError: one was.
    """
    with reader(workspace.engine).begin() as connection:
        forgotten = forgotten_items(connection, row.id)
    if forgotten:
        raise PipelineError(
            f"{row.name} holds {len(forgotten):,} portraits of photos that were forgotten since "
            f"({forgotten[0]}, …) and is not published; `{_export(row.format)}` writes one without"
        )


def require_licence(workspace: Workspace, found: Publishable, *, public: bool) -> None:
    """Check what a release of the format `hf` says of its licence.

    Raises:
        PipelineError: it is another by now, or does not let everybody see the photos.
    """
    row, folder = found.row, found.folder
    rights = rights_of(read_manifest(folder), workspace.settings.release.licence)
    said, now = stated_licence(folder), rights.hub_licence
    if said != now:
        raise PipelineError(
            f"{row.name} says that its licence is {said}, but it is {now} by now; "
            f"`{_export(row.format)}` writes one that says so"
        )
    if public and (why := rights.why_not_public):
        raise PipelineError(f"{row.name} is not published for everybody: {why}")


def _export(form: str | None, more: str = "") -> str:
    return f"dataengine export --out DIR{f' --format {form}' if form else ''}{more}"


def _find(
    workspace: Workspace, wanted: str | None, form: Format | None
) -> tuple[SealedRelease, Path]:
    with reader(workspace.engine).begin() as connection:
        if wanted is None:
            query = sa.select(sa.func.max(Release.id)).where(Release.sealed_at.is_not(None))
            if form is not None:
                query = query.where(Release.format == form)
            row = find_release(connection, Release.id == query.scalar_subquery())
            if row is None:
                which = f" in the format {form}" if form else ""
                raise PipelineError(f"there is no release{which}: `{_export(form)}`")
            return row, release_path(workspace, row)
        row = find_release(connection, Release.name == wanted)
        folder = Path(wanted) if row is None else release_path(workspace, row)
        if row is None and folder.is_dir():
            row = find_release(connection, Release.checksum == checksum_of(folder))
    if row is None:
        raise PipelineError(
            f"{wanted}: is no release of this workspace; `{_export(form)}` writes one"
        )
    if form is not None and row.format != form:
        again = _export(form, "" if row.round is None else f" --round {row.round}")
        raise PipelineError(f"{row.name}: has the format {row.format}; `{again}`, and publish that")
    return row, folder


def _require_whole(
    workspace: Workspace,
    row: SealedRelease,
    folder: Path,
    wanted: str | None,
    progress: Progress,
) -> None:
    by_name = wanted is None or wanted == row.name
    report: Report
    if by_name:
        report = verify_workspace(workspace, VerifyRequest(release=row.name), progress)
    else:
        report = verify_folder(folder, progress, workspace=workspace)
    if not report.ok:
        more = f" (and {len(report.problems) - 1:,} more)" if len(report.problems) > 1 else ""
        raise PipelineError(
            f"{row.name} is not what was released and is not published: "
            f"{report.problems[0].message}{more}"
        )
