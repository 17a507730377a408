"""`init` on a console."""

from pathlib import Path

from dataengine.console.shared.text import say
from pipelines.workspace.workspace import WorkspacePaths


def print_made(root: Path) -> None:
    """Where the workspace and its settings are."""
    say(f"Made a workspace in {root.absolute()}")
    say(f"Settings: {WorkspacePaths(root.absolute()).settings}")
