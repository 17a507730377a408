"""From the global options to an opened workspace."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True)
class GlobalOptions:
    """What stands before the command."""

    workspace: Path | None


def root_of(context: typer.Context) -> Path:
    """The workspace folder that the command is about."""
    from dataengine.settings import workspace_root

    options: GlobalOptions = context.obj
    return workspace_root(options.workspace)


@contextmanager
def opened(
    context: typer.Context, options: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator["Workspace"]:
    """Open the workspace that the command is about, and close it afterwards.

    Args:
        context: of the command.
        options: settings from the command line, by section.
    """
    from dataengine.settings import load_settings
    from pipelines.workspace.workspace import Workspace

    root = root_of(context)
    workspace = Workspace(root, load_settings(root, options))
    try:
        yield workspace
    finally:
        workspace.close()
