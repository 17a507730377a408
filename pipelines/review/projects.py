"""The project that tasks go to: made, known again, and checked before anything is sent or read.

A URL and a number may be another server's tomorrow. So a mark of ours stands in each project's
description, and only a project that has it (or, if somebody deleted it, our tasks) is ours.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import sqlalchemy as sa

from db import Portrait, reader
from pipelines.label_studio.crops import image_url, served
from pipelines.label_studio.errors import ProjectChangedError, ReviewError
from pipelines.label_studio.gateway import TO_READ_BUCKETS, Gateway, ServerProject
from pipelines.label_studio.screen import GUIDELINE, MODEL_VERSION, labeling_config, missing_from
from pipelines.review import ledger
from pipelines.review.ledger import Project
from pipelines.workspace.object_places import is_url
from pipelines.workspace.workspace import Workspace

_MARK = "dataengine:"
_DESCRIPTION = "Masks to look at. By the next line the workspace knows this project: keep it."
_KEYS_TO_LOOK_UP = 100


@dataclass(frozen=True)
class Known:
    """A project of ours, and how the server has it."""

    project: Project
    on_server: ServerProject


@dataclass(frozen=True)
class OnServer:
    """What a server has of our projects.

    Attributes:
        ours: those that are there, latest first.
        gone: those that were at this URL and are not there any more.
        taken: those at whose URL and number another project is: maybe this is another server.
    """

    ours: Sequence[Known]
    gone: Sequence[Project]
    taken: Sequence[Project]


def recognise(workspace: Workspace, gateway: Gateway) -> OnServer:
    """Find our projects on a server; those that had another URL are noted under this one.

    Raises:
        ReviewError: see `Gateway`.
    """
    with reader(workspace.engine).begin() as connection:
        known = ledger.projects(connection)
    ours: list[Known] = []
    gone: list[Project] = []
    taken: list[Project] = []
    for project in known:
        on_server = gateway.project(project.server_id)
        if on_server is not None and _is_ours(workspace, gateway, project, on_server):
            if project.url != gateway.url:
                with workspace.engine.begin() as connection:
                    ledger.move_project(connection, project, gateway.url)
            ours.append(Known(replace(project, url=gateway.url), on_server))
        elif project.url == gateway.url:
            (gone if on_server is None else taken).append(project)
    return OnServer(ours, gone, taken)


def open_project(
    workspace: Workspace, gateway: Gateway, title: str, on_server: OnServer
) -> Project:
    """The project of this title: ours, or a new one; another's is never taken.

    Where ours was deleted on the server, the questions it had not answered move to the new one. A
    new project in which a reviewer would see no image is removed again at once.

    Raises:
        ProjectChangedError: the project would lose masks or decisions, or is not ours.
        ReviewError: see `Gateway`.
    """
    for known in on_server.ours:
        if known.project.title == title:
            check_project(gateway, known.on_server)
            gateway.serve(known.on_server.id, served(workspace))
            return known.project
    for project in on_server.taken:
        if project.title == title:
            raise ProjectChangedError(
                f"{gateway.url}/projects/{project.server_id} is not the project {title!r} that "
                "this workspace pushed to: give the URL of the server it is on, or push to a new "
                "one here with another --project"
            )
    with workspace.engine.begin() as connection:
        reserved = ledger.reserve_project(connection, gateway.url, title)
    found = _made_before(gateway, reserved) or _made(workspace, gateway, reserved)
    with workspace.engine.begin() as connection:
        project = ledger.settle_project(connection, reserved, gateway.url, found.id)
        for gone in on_server.gone:
            if gone.title == title:
                ledger.move_undecided(connection, gone, project)
    return project


def check_project(gateway: Gateway, project: ServerProject) -> None:
    """Refuse a project that was changed by hand so that masks or decisions would be lost.

    Raises:
        ProjectChangedError: says what is missing.
    """
    where = f"project {project.title!r} ({gateway.url}/projects/{project.id})"
    missing = missing_from(project.config)
    if missing:
        raise ProjectChangedError(
            f"{where} has no {missing[0]} in its labeling config any more, or never had; put it "
            "back under Settings, or push to another one with --project"
        )
    if project.model_version not in (None, MODEL_VERSION) or not project.shows_predictions:
        raise ProjectChangedError(
            f"{where} does not show our masks: under Settings, Annotation, turn prelabeling on "
            f"with {MODEL_VERSION!r}, or push to another one with --project"
        )


def is_marked(project: Project, on_server: ServerProject) -> bool:
    """Whether a project's description says that it is ours."""
    return _mark(project) in on_server.description


def _is_ours(
    workspace: Workspace, gateway: Gateway, project: Project, on_server: ServerProject
) -> bool:
    """By our mark; where it was deleted, or never set, by our tasks, and then it is set again."""
    if is_marked(project, on_server):
        return True
    with reader(workspace.engine).begin() as connection:
        keys = ledger.latest_keys(connection, project, _KEYS_TO_LOOK_UP)
    if keys:
        is_ours = bool(gateway.find_tasks(on_server.id, keys))
    else:  # made by an older version, and nothing was sent yet
        is_ours = project.url == gateway.url and project.title == on_server.title
        is_ours = is_ours and _MARK not in on_server.description
        is_ours = is_ours and not gateway.task_ids(on_server.id)
    if is_ours:
        kept = on_server.description.strip() or _DESCRIPTION
        gateway.describe_project(on_server.id, f"{kept}\n{_mark(project)}")
    return is_ours


def _made_before(gateway: Gateway, reserved: Project) -> ServerProject | None:
    """The project whose making was cut off.

    Raises:
        ProjectChangedError: others of its title are there.
    """
    same_title = gateway.find_projects(reserved.title)
    for project in same_title:
        if _mark(reserved) in project.description:
            check_project(gateway, project)
            return project
    for project in same_title:
        where = f"{gateway.url}/projects/{project.id}"
        if _MARK in project.description:
            raise ProjectChangedError(
                f"{where} is a project {reserved.title!r} of another workspace, or of this one "
                "before it was made anew: its answers cannot come here; go on with that workspace "
                "(restore its backup), or push to another --project"
            )
        raise ProjectChangedError(
            f"{where} is a project {reserved.title!r} that this workspace did not make: rename it, "
            "or push to another --project"
        )
    return None


def _made(workspace: Workspace, gateway: Gateway, reserved: Project) -> ServerProject:
    """A new project, which shows images; one that does not is removed."""
    description = f"{_DESCRIPTION}\n{_mark(reserved)}"
    made = gateway.create_project(reserved.title, labeling_config(), GUIDELINE, description)
    try:
        check_project(gateway, made)
        gateway.serve(made.id, served(workspace))
        _require_an_image(workspace, gateway, made.id)
    except ReviewError:
        with suppress(ReviewError):
            gateway.delete_project(made.id)
        raise
    return made


def _require_an_image(workspace: Workspace, gateway: Gateway, project_id: int) -> None:
    with reader(workspace.engine).begin() as connection:
        blob = connection.scalar(sa.select(Portrait.blob).order_by(Portrait.id).limit(1))
    if blob is not None:
        require_image(gateway, project_id, image_url(workspace, gateway.url, blob))


def require_image(gateway: Gateway, project_id: int, url: str) -> None:
    """A task whose image cannot be seen is worse than none.

    Args:
        gateway: to the server.
        project_id: the server's, of the project that is to show it.
        url: of an image, as `image_url` makes it.

    Raises:
        ReviewError: the server does not hand it out.
    """
    if gateway.serves(project_id, url):
        return
    if is_url(url):
        raise ReviewError(f"{gateway.url} does not hand out {url}: {TO_READ_BUCKETS}")
    raise ReviewError(
        f"{gateway.url} does not hand out {url}: start it with "
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the workspace's store, or set "
        "store_on_server and document_root in [review]"
    )


def _mark(project: Project) -> str:
    return f"{_MARK}{project.nonce}"
