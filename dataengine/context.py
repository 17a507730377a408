"""From the global options to an opened workspace."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from pipelines.networks import NetworkRef
    from pipelines.workspace.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True)
class GlobalOptions:
    """What stands before the command."""

    workspace: Path | None


def root_of(context: typer.Context) -> Path:
    """The workspace folder that the command is about."""
    options: GlobalOptions = context.obj
    return workspace_root(options.workspace)


def workspace_root(option: Path | None) -> Path:
    """The workspace folder: option, `DATAENGINE_WORKSPACE`, or the current folder."""
    return option or Path(os.environ.get("DATAENGINE_WORKSPACE") or ".")


@contextmanager
def opened(
    context: typer.Context,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    read_only: bool = False,
) -> Iterator["Workspace"]:
    """Open the workspace that the command is about, and close it afterwards.

    Args:
        context: of the command.
        options: settings from the command line, by section.
        read_only: change nothing on the disk and wait for nobody.
    """
    from pipelines.workspace.opening import open_workspace

    workspace = open_workspace(root_of(context), options, read_only=read_only)
    try:
        yield workspace
    finally:
        workspace.close()


def reading(context: typer.Context, work: "Callable[[Workspace], T]") -> T:
    """What is found in the workspace, opened to read; to write, if something has to be made first.

    Args:
        context: of the command.
        work: what to find; asked again if it raised `ReadOnlyError`.
    """
    from pipelines.workspace.errors import ReadOnlyError

    try:
        with opened(context, read_only=True) as workspace:
            return work(workspace)
    except ReadOnlyError:
        with opened(context) as workspace:
            return work(workspace)


def network(context: typer.Context, name: str) -> "NetworkRef":
    """Understand a network's name; a workspace is opened only to look up `sinet:current`.

    Raises:
        ModelError: an unknown name, or there is no current student.
        WorkspaceError: there is no workspace to look it up in.
    """
    from pipelines.networks import parse_network
    from pipelines.networks.names import CURRENT

    found = parse_network(name)
    if all(each.name != CURRENT for each in found.each):
        return found
    from pipelines.networks.current import resolve

    with opened(context, read_only=True) as workspace:
        return resolve(workspace, found)


@contextmanager
def opened_if_there(context: typer.Context) -> Iterator["Workspace | None"]:
    """As `opened` to read; None where there is no workspace."""
    from pipelines.workspace.workspace import WorkspacePaths

    if not WorkspacePaths(root_of(context)).exists:
        yield None
        return
    with opened(context, read_only=True) as workspace:
        yield workspace
