"""A release on the Hugging Face Hub: only what is whole, allowed and not forgotten gets there."""

from pipelines.lineage.bucket_publishing import publish_to_bucket
from pipelines.lineage.checksums import released_files
from pipelines.lineage.publishable import (
    Published,
    PublishRequest,
    publishable,
    require_licence,
    require_remembered,
)
from pipelines.releases.formats import Format
from pipelines.releases.formats.hf import is_of_release
from pipelines.releases.hub import Hub, HubFile, Upload, check_repo
from pipelines.workspace.object_places import is_url
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace

__all__ = ["PublishRequest", "Published", "publish_release"]


def publish_release(
    workspace: Workspace, request: PublishRequest, progress: Progress = SILENT
) -> Published:
    """Push a release to the Hub, one commit with a tag of its name, or to a folder in a bucket.

    Whatever was there before is left alone if it is the same, so that the same call twice changes
    nothing, and one that was cut off goes on.

    Args:
        workspace: opened, to read is enough.
        request: what, and where to.
        progress: told of every file.

    Raises:
        PipelineError: there is no such release, it is damaged, holds what was forgotten or is not
            allowed; or the server refuses or does not answer.
    """
    if is_url(request.repo):
        return publish_to_bucket(workspace, request, progress)
    check_repo(request.repo)
    hub = Hub()
    found = publishable(workspace, request.release, Format.HF, progress)
    require_licence(workspace, found, public=request.public)
    row, folder = found.row, found.folder
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
                upload, steps, lambda: require_remembered(workspace, row), progress
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
