"""`upgrade` on a console."""

from dataengine.console.shared.text import say
from db import schema
from pipelines.workspace.workspace import Workspace
from sinet.escaping import printable


def print_upgraded(workspace: Workspace) -> None:
    """Which state the workspace is in now."""
    root = printable(str(workspace.paths.root))
    say(f"{root} is up to date (schema {schema.HEAD})")
