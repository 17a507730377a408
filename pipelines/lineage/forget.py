"""Photos forgotten by name: found, told beforehand, removed, and their tasks with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from db import reader
from pipelines.label_studio import connecting
from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.gateway import Gateway
from pipelines.lineage.choosing import choose
from pipelines.lineage.finding import named_digest
from pipelines.lineage.forgetting import (
    Containing,
    Photo,
    finish_forgetting,
    plan,
    remove_photos,
)
from pipelines.portraits.forgotten import Refused, admit, refused
from pipelines.review.removals import delete_forgotten, waiting
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class ForgetRequest:
    """What to forget.

    Attributes:
        photos: raw files (or their paths, if they are gone), released images, SHA-256s, or
            ``portrait:ID``.
    """

    photos: Sequence[str]


@dataclass(frozen=True)
class ForgetPlan:
    """What forgetting takes away, and what it cannot reach.

    Attributes:
        photos: that are here.
        releases: that hold them, and stay.
        known: what was named and forgotten before, and when.
    """

    photos: list[Photo]
    releases: list[Containing]
    known: dict[str, datetime]


@dataclass(frozen=True)
class Forgotten:
    """What was done.

    Attributes:
        planned: what was to go.
        photos: number of photos that were removed.
        blobs: number of files of the store that were removed.
        spared: number of blobs that a process at work may be about to name; `gc` removes them.
        by_bytes_alone: photos whose copies will not be known: too little is to be seen.
        tasks_deleted: tasks deleted on the review server, those of earlier calls, too.
        server: URL of that server; None: nothing had to be deleted, or it cannot be reached.
        tasks_waiting: tasks that may still be there, by the URL of their server.
        problem: why they may.
    """

    planned: ForgetPlan
    photos: int = 0
    blobs: int = 0
    spared: int = 0
    by_bytes_alone: int = 0
    tasks_deleted: int = 0
    server: str | None = None
    tasks_waiting: dict[str, int] = field(default_factory=dict)
    problem: str | None = None


def plan_forget(workspace: Workspace, request: ForgetRequest) -> ForgetPlan:
    """Find the photos, and say what would go and what stays.

    What an earlier `forget_photos` that was killed has left of others is removed on the way.

    Raises:
        PipelineError: something named is not here, or not just one photo's.
    """
    finish_forgetting(workspace)
    with reader(workspace.engine).begin() as connection:
        chosen = choose(connection, request.photos)
        found = plan(connection, chosen.image_ids)
    return ForgetPlan(found.photos, found.releases, chosen.before)


def forget_photos(
    workspace: Workspace,
    request: ForgetRequest,
    progress: Progress = SILENT,
    *,
    gateway: Gateway | None = None,
) -> Forgotten:
    """Remove photos with all that was made of them, and refuse their bytes from now on.

    Their tasks are deleted where the server can be reached; else by the next push or pull.

    Args:
        workspace: opened.
        request: which.
        progress: told what is under way.
        gateway: the review server; None: the one that environment and settings name.

    Raises:
        PipelineError: as `plan_forget`; or an ingest is at work on one: nothing was removed.
        ReviewError: a push is at work; nothing was removed.
        WorkspaceError: a blob cannot be removed; no row names it any more.
    """
    planned = plan_forget(workspace, request)
    progress.begin("forgetting", len(planned.photos), "photos")
    image_ids = [photo.photo_id for photo in planned.photos]
    removed = remove_photos(workspace, image_ids)
    workspace.sources.finish()
    progress.advance(len(image_ids))
    deleted, server, problem = 0, None, None
    if waiting(workspace):
        try:
            gateway = gateway or connecting.connect(workspace)
            deleted, server = delete_forgotten(workspace, gateway), gateway.url
        except ReviewError as error:
            problem = str(error)
    return Forgotten(
        planned,
        photos=removed.photos,
        blobs=removed.blobs,
        spared=len(removed.spared_keys),
        by_bytes_alone=removed.by_bytes_alone,
        tasks_deleted=deleted,
        server=server,
        tasks_waiting=waiting(workspace),
        problem=problem,
    )


def list_refused(workspace: Workspace) -> list[Refused]:
    """What was offered, taken for a forgotten photo, and not let in since."""
    with reader(workspace.engine).begin() as connection:
        return refused(connection)


def lift_refusals(workspace: Workspace, request: ForgetRequest) -> list[str]:
    """Let files in that were refused, by their bytes; their copies stay refused.

    Returns:
        Their SHA-256s.

    Raises:
        PipelineError: one of them was not refused; then none is let in.
    """
    digests = [named_digest(name) for name in request.photos]
    with workspace.engine.begin() as connection:
        for digest in digests:
            admit(connection, digest)
    return digests
