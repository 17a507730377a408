"""`upgrade` on a console."""

import typer

from dataengine.console.shared.text import printable
from db import schema
from pipelines.workspace.workspace import Workspace


def print_upgraded(workspace: Workspace) -> None:
    """Which state the workspace is in now."""
    root = printable(str(workspace.paths.root))
    typer.echo(f"{root} is up to date (schema {schema.HEAD})")
