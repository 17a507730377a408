"""The project that tasks go to: made, found again, and checked before anything is sent or read."""

from db import reader
from pipelines.label_studio.errors import ProjectChangedError
from pipelines.label_studio.gateway import Gateway, ServerProject
from pipelines.label_studio.screen import GUIDELINE, MODEL_VERSION, labeling_config, missing_from
from pipelines.label_studio.server_paths import portraits_on_server
from pipelines.review import ledger
from pipelines.review.ledger import Project
from pipelines.workspace.workspace import Workspace


def open_project(workspace: Workspace, gateway: Gateway, title: str) -> Project:
    """The project of this title: ours, one on the server that fits, or a new one.

    Where ours was deleted on the server, the questions it had not answered move to the new one.

    Raises:
        ProjectChangedError: the project would lose masks or decisions.
        ReviewError: see `Gateway`.
    """
    with reader(workspace.engine).begin() as connection:
        known = ledger.projects(connection, gateway.url, title)
    for project in known:
        on_server = gateway.project(project.server_id)
        if on_server is not None:
            check_project(gateway, on_server)
            gateway.serve_folder(on_server.id, portraits_on_server(workspace))
            return project
    found = gateway.find_project(title)
    if found is None:
        found = gateway.create_project(title, labeling_config(), GUIDELINE)
    check_project(gateway, found)
    gateway.serve_folder(found.id, portraits_on_server(workspace))
    with workspace.engine.begin() as connection:
        project = ledger.add_project(connection, gateway.url, found.id, title)
        for gone in known:
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
