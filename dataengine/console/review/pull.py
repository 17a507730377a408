"""`review pull` on a console."""

import time

import typer

from dataengine.console.shared.signals import ended_by_signals
from dataengine.console.shared.text import printable
from pipelines.label_studio.connecting import connect
from pipelines.label_studio.errors import AnswerLostError, NotAllowedError, UnreachableError
from pipelines.label_studio.gateway import Gateway
from pipelines.review.pull import PullResult, pull
from pipelines.workspace.workspace import Workspace
from sinet.json_text import to_json


def report_pull(workspace: Workspace, watch: float | None, *, as_json: bool) -> None:
    """Pull once, or again and again, and say what came."""
    gateway = connect(workspace)
    if watch is None:
        _print_pull(pull(workspace, gateway), as_json=as_json)
        return
    with ended_by_signals():
        try:
            while True:
                _pull_again(workspace, gateway, as_json=as_json)
                time.sleep(watch)
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)


def _pull_again(workspace: Workspace, gateway: Gateway, *, as_json: bool) -> None:
    """One round of watching: a server that is away for a while is waited for."""
    try:
        result = pull(workspace, gateway)
    except NotAllowedError:
        raise
    except (UnreachableError, AnswerLostError) as error:
        typer.echo(f"warning: {error}; trying again", err=True)
        return
    if result.changed:
        _print_pull(result, as_json=as_json)


def _print_pull(result: PullResult, *, as_json: bool) -> None:
    if as_json:
        print(to_json(vars(result)))  # noqa: T201
        return
    for problem in result.problems:
        typer.echo(f"warning: {printable(problem)}", err=True)
    for title in result.gone:
        typer.echo(f"warning: project {title!r} is not on the server any more", err=True)
    for title in result.taken:
        typer.echo(
            f"warning: another project is where {title!r} was: is this another server? Nothing of "
            "it was read",
            err=True,
        )
    if result.foreign:
        typer.echo(f"warning: {result.foreign:,} tasks there are not ours; left alone", err=True)
    parts = [f"{number:,} {kind}" for kind, number in sorted(result.decisions.items())]
    if result.withdrawn:
        parts.append(f"{result.withdrawn:,} withdrawn")
    if result.removed:
        parts.append(f"{result.removed:,} needless tasks removed")
    if result.skipped:
        parts.append(f"{result.skipped:,} skipped")
    typer.echo(", ".join(parts) or "nothing new")
