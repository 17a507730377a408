"""`init` on a console."""

from pathlib import Path

import typer

from pipelines.workspace.workspace import WorkspacePaths


def print_made(root: Path) -> None:
    """Where the workspace and its settings are."""
    typer.echo(f"Made a workspace in {root.absolute()}")
    typer.echo(f"Settings: {WorkspacePaths(root.absolute()).settings}")
