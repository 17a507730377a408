"""Tasks of forgotten photos: deleted on their server as soon as it can be reached."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from db import ReviewProject, TaskRemoval, reader
from pipelines.label_studio.gateway import Gateway
from pipelines.workspace.workspace import Workspace

_KEYS_AT_ONCE = 100


def waiting(workspace: Workspace) -> dict[str, int]:
    """Number of tasks that are still to be deleted, by the URL of their server."""
    query = (
        sa.select(ReviewProject.url, sa.func.count().label("tasks"))
        .join(TaskRemoval, TaskRemoval.project_id == ReviewProject.id)
        .group_by(ReviewProject.url)
        .order_by(ReviewProject.url)
    )
    with reader(workspace.engine).begin() as connection:
        return {row.url: row.tasks for row in connection.execute(query)}


def delete_forgotten(workspace: Workspace, gateway: Gateway) -> int:
    """Delete the tasks of forgotten photos that are on this server, whoever answered them.

    A task whose sending may still be under way (nobody knows its id, and it is not there) stays
    noted until the server has had time for it.

    Returns:
        How many tasks were deleted.

    Raises:
        ReviewError: see `Gateway`; what is left stays noted.
    """
    columns = sa.select(
        TaskRemoval.id,
        TaskRemoval.key,
        TaskRemoval.task_id,
        TaskRemoval.created_at,
        ReviewProject.server_project_id,
    ).join(ReviewProject, ReviewProject.id == TaskRemoval.project_id)
    of_server = columns.where(ReviewProject.url == gateway.url)
    patience = timedelta(seconds=workspace.settings.review.settle_seconds)
    deleted, after = 0, 0
    while True:
        page = of_server.where(TaskRemoval.id > after).order_by(TaskRemoval.id)
        with reader(workspace.engine).begin() as connection:
            rows = connection.execute(page.limit(_KEYS_AT_ONCE)).all()
        if not rows:
            return deleted
        after = rows[-1].id
        on_server: dict[str, set[int]] = {row.key: set() for row in rows}
        for project in sorted({row.server_project_id for row in rows}):
            if gateway.project(project) is None:
                continue  # its tasks went with it
            keys = [row.key for row in rows if row.server_project_id == project]
            for task in gateway.find_tasks(project, keys):
                on_server[task.key].add(task.id)
        for row in rows:
            for task_id in on_server[row.key]:
                gateway.delete_task(task_id)
            deleted += len(on_server[row.key])
            settled = datetime.now(UTC) - row.created_at > patience
            if on_server[row.key] or row.task_id is not None or settled:
                with workspace.engine.begin() as connection:
                    connection.execute(sa.delete(TaskRemoval).where(TaskRemoval.id == row.id))
