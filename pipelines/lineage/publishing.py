"""A release on the Hugging Face Hub: only what is whole, allowed and not forgotten gets there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from db import Release, reader
from pipelines.lineage.checksums import checksum_of, released_files
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
from pipelines.releases.formats.hf import is_of_release, stated_licence
from pipelines.releases.hub import Hub, HubFile, Upload, check_repo
from pipelines.releases.rights import rights_of
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace

_EXPORT: Final = f"dataengine export --out DIR --format {Format.HF}"


@dataclass(frozen=True, kw_only=True)
class PublishRequest:
    """What to publish.

    Attributes:
        repo: ``OWNER/NAME`` on the Hub, made if it is not there.
        release: name of a release in the format `hf`, or the folder it lies in; None: the latest.
        public: everybody may see it.
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
        repo: ``OWNER/NAME``.
        url: its page.
        public: everybody may see it.
        release: name, which is the tag's, too.
        checksum: of the release.
        commit: that the tag is at; None: there is none yet.
        created: the repository had to be made.
        changed: files had to be sent.
        tagged: the tag had to be made.
        files: of the release, by their paths in it, with their sizes in bytes.
        removed: files of an earlier release that went.
    """

    repo: str
    url: str
    public: bool
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


def publish_release(
    workspace: Workspace, request: PublishRequest, progress: Progress = SILENT
) -> Published:
    """Push a release in the format `hf` to the Hub: one commit with a tag of the release's name.

    Whatever was there before is left alone if it is the same, so that the same call twice changes
    nothing, and one that was cut off goes on.

    Args:
        workspace: opened, to read is enough.
        request: what, and where to.
        progress: told of every file.

    Raises:
        PipelineError: there is no such release, it is damaged, holds what was forgotten or is not
            allowed; or the Hub refuses or does not answer.
    """
    check_repo(request.repo)
    hub = Hub()
    row, folder = _find(workspace, request.release)
    _require_whole(workspace, row, folder, request.release, progress)
    _require_allowed(workspace, row, folder, public=request.public)
    upload = Upload(
        repo=request.repo,
        tag=row.name,
        public=request.public,
        files=[
            HubFile(name=name, path=folder / name, size=(folder / name).stat().st_size, sha256=sha)
            for name, sha in released_files(folder).items()
        ],
        is_ours=is_of_release,
    )
    with hub.asking(request.repo):
        steps = hub.steps(upload)
        commit = steps.tagged
        if not request.dry_run:
            commit = hub.carry_out(
                upload, steps, lambda: _require_remembered(workspace, row), progress
            )
    return Published(
        repo=request.repo,
        url=hub.url(request.repo),
        public=request.public,
        release=row.name,
        checksum=row.checksum,
        commit=commit,
        created=steps.creates,
        changed=steps.commits,
        tagged=steps.tagged is None,
        files={each.name: each.size for each in upload.files},
        removed=steps.removed,
    )


def _find(workspace: Workspace, wanted: str | None) -> tuple[SealedRelease, Path]:
    with reader(workspace.engine).begin() as connection:
        if wanted is None:
            query = sa.select(sa.func.max(Release.id))
            query = query.where(Release.format == Format.HF, Release.sealed_at.is_not(None))
            row = find_release(connection, Release.id == query.scalar_subquery())
            if row is None:
                raise PipelineError(f"there is no release in the format hf: `{_EXPORT}`")
            return row, release_path(workspace, row)
        row = find_release(connection, Release.name == wanted)
        folder = Path(wanted) if row is None else release_path(workspace, row)
        if row is None and folder.is_dir():
            row = find_release(connection, Release.checksum == checksum_of(folder))
    if row is None:
        raise PipelineError(f"{wanted}: is no release of this workspace; `{_EXPORT}` writes one")
    if row.format != Format.HF:
        again = _EXPORT if row.round is None else f"{_EXPORT} --round {row.round}"
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


def _require_remembered(workspace: Workspace, row: SealedRelease) -> None:
    with reader(workspace.engine).begin() as connection:
        forgotten = forgotten_items(connection, row.id)
    if forgotten:
        raise PipelineError(
            f"{row.name} holds {len(forgotten):,} portraits of photos that were forgotten since "
            f"({forgotten[0]}, …) and is not published; `{_EXPORT}` writes one without"
        )


def _require_allowed(
    workspace: Workspace, row: SealedRelease, folder: Path, *, public: bool
) -> None:
    _require_remembered(workspace, row)
    refused = refused_photos(workspace)
    if names := [each.name for each in read_manifest(folder) if each.photo_sha256 in refused]:
        raise PipelineError(
            f"{row.name} holds {len(names):,} portraits that [policy] refuses ({names[0]}, …) and "
            f"is not published; `{_EXPORT}` writes one without"
        )
    rights = rights_of(read_manifest(folder), workspace.settings.release.licence)
    said, now = stated_licence(folder), rights.hub_licence
    if said != now:
        raise PipelineError(
            f"{row.name} says that its licence is {said}, but it is {now} by now; `{_EXPORT}` "
            "writes one that says so"
        )
    if public and (why := rights.why_not_public):
        raise PipelineError(f"{row.name} is not published for everybody: {why}")
