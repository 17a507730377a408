"""Making a workspace with this program's settings template, and opening one by its own settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db import parse_url, secrets_in, shown_url
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.object_places import parse_place
from pipelines.workspace.settings_sources import load_settings, settings_template
from pipelines.workspace.workspace import (
    Workspace,
    WorkspacePaths,
    complete_workspace,
    make_workspace,
)


def init_workspace(root: Path | str, database: str | None = None, store: str | None = None) -> None:
    """Make a workspace with its database.

    Args:
        root: the folder.
        database: URL, as in the settings; None: what the environment says, or a file in the folder.
        store: likewise of the bucket for the blobs; None: what the environment says, or a folder.

    Raises:
        WorkspaceError: the folder is a workspace already or cannot be written, or the bucket cannot
            be; or a URL holds a password, which does not belong into a settings file.
        db.DatabaseError: the database cannot be opened, or is another program's.
    """
    root = Path(root)
    settings = load_settings(root)
    if database is not None:
        if secrets_in(parse_url(database)):
            raise WorkspaceError(
                f"{shown_url(parse_url(database))}: write it without its password, which would "
                "stand in dataengine.toml; it is read from PGPASSWORD or ~/.pgpass"
            )
        settings = settings.model_copy(update={"database": database})
    if store is not None:
        store = parse_place(store).url
        in_bucket = settings.store.model_copy(update={"url": store})
        settings = settings.model_copy(update={"store": in_bucket})
    make_workspace(root, settings_template(database, store), settings)


def init_if_missing(root: Path | str) -> bool:
    """Make a workspace where there is none, and tables for settings without any.

    Returns:
        True if something was made.

    Raises:
        WorkspaceError: it cannot be written, or its database is lost.
    """
    root = Path(root)
    if WorkspacePaths(root).exists:
        return complete_workspace(root, load_settings(root))
    init_workspace(root)
    return True


def open_workspace(
    root: Path | str,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    read_only: bool = False,
) -> Workspace:
    """Open a workspace; close it with its `close`.

    Opened to write, it first clears away what killed processes have left: their jobs wait again,
    their half-written files and locks are gone.

    Args:
        root: the workspace.
        options: section → key → value, over its `dataengine.toml` and the environment.
        read_only: change nothing on the disk and wait for nobody.

    Raises:
        WorkspaceError: see `Workspace`; or a setting is wrong.
        db.DatabaseError: the database cannot be opened or is newer than this program.
    """
    root = Path(root)
    workspace = Workspace(root, load_settings(root, options), read_only=read_only)
    if not read_only:
        workspace.clear_up_after_the_dead()
    return workspace
