"""Making workspaces with this program's settings template."""

from pathlib import Path

from dataengine.settings import load_settings, settings_template
from pipelines.workspace.workspace import Workspace, WorkspacePaths, make_workspace


def create(root: Path) -> None:
    """Make a workspace with its database.

    Raises:
        WorkspaceError: the folder is a workspace already or cannot be written.
    """
    make_workspace(root, settings_template())
    Workspace(root, load_settings(root)).close()


def create_if_missing(root: Path) -> bool:
    """Make a workspace where there is none; True if it was made."""
    if WorkspacePaths(root).exists:
        return False
    create(root)
    return True
