"""`review` on a console: the server's login, progress of a push, what a pull brought."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console

from dataengine.console.tables import print_json, printable
from db import Verdict
from pipelines.label_studio.errors import (
    AnswerLostError,
    NotAllowedError,
    ReviewError,
    UnreachableError,
)
from pipelines.label_studio.server import default_data_dir, local_server
from pipelines.review.choosing import Order
from pipelines.review.pull import PullResult, pull
from pipelines.review.push import PushRequest, PushResult, push

if TYPE_CHECKING:
    from pipelines.label_studio.gateway import Gateway
    from pipelines.workspace.workspace import Workspace

URL_VARIABLE = "LABEL_STUDIO_URL"
KEY_VARIABLE = "LABEL_STUDIO_API_KEY"
_PLAIN_LINE_SECONDS = 5.0


def verdicts(text: str) -> list[Verdict]:
    """Read `--verdict`: names between commas."""
    try:
        return [Verdict(name.strip()) for name in text.split(",")]
    except ValueError as error:
        names = ", ".join(Verdict)
        raise typer.BadParameter(f"{error}; choose from {names}", param_hint="--verdict") from None


def run_server(root: Path, store: Path, port: int | None, data_dir: Path | None) -> None:
    """Start a server, say where and for whom, and stop it on Ctrl-C or SIGTERM."""
    folder = data_dir or default_data_dir(root)
    typer.echo("Starting Label Studio (the first time takes a minute or two) …", err=True)
    with _ended_by_signals(), local_server(folder, store, port) as server:
        login = server.login
        # To the terminal only: nothing of this may be in a log or in the workspace.
        typer.echo(f"Label Studio   {server.url}")
        typer.echo(f"  login        {login.email}")
        typer.echo(f"  password     {login.password}")
        typer.echo(f"  its data     {server.data_dir}")
        typer.echo("In another terminal:")
        typer.echo(f"  export {URL_VARIABLE}={server.url}")
        typer.echo(f"  export {KEY_VARIABLE}={login.token}")
        typer.echo(f"  dataengine -w {printable(str(root))} review push --limit 100")
        typer.echo("Ctrl-C stops it.", err=True)
        try:
            server.wait()
        except KeyboardInterrupt:
            typer.echo("Stopping …", err=True)


def report_push(
    workspace: "Workspace",
    wanted: list[Verdict],
    order: str,
    limit: int | None,
    *,
    as_json: bool,
) -> None:
    """Push and say what was done."""
    settings = workspace.settings.review
    request = PushRequest(settings.project, wanted, Order(order), limit, settings.batch)
    gateway = connect(workspace)
    started = time.monotonic()
    result = push(workspace, gateway, request, _Progress())
    seconds = time.monotonic() - started
    url = f"{gateway.url}/projects/{result.project.server_id}/data?labeling=1"
    if as_json:
        known = {"project": result.project.title, "url": url, "seconds": round(seconds, 3)}
        print_json({**vars(result), **known})
        return
    _print_push(result, seconds)
    typer.echo(url)


def report_pull(workspace: "Workspace", watch: float | None, *, as_json: bool) -> None:
    """Pull once, or again and again, and say what came."""
    gateway = connect(workspace)
    if watch is None:
        _print_pull(pull(workspace, gateway), as_json=as_json)
        return
    with _ended_by_signals():
        try:
            while True:
                _pull_again(workspace, gateway, as_json=as_json)
                time.sleep(watch)
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)


def connect(workspace: "Workspace") -> "Gateway":
    """Log in to the server.

    Raises:
        ReviewError: no URL or token is given, or the server does not take them.
    """
    url = os.environ.get(URL_VARIABLE) or workspace.settings.review.url
    if not url:
        raise ReviewError(
            f"which Label Studio? Set {URL_VARIABLE}, or url in [review] of "
            f"{workspace.paths.settings}; `dataengine review server` starts one"
        )
    token = os.environ.get(KEY_VARIABLE)
    if not token:
        raise ReviewError(
            f"{KEY_VARIABLE} is not set: copy your token from {url}/user/account, or from what "
            "`dataengine review server` printed"
        )
    from pipelines.label_studio.sdk_gateway import LabelStudioGateway

    return LabelStudioGateway(url, token, workspace.settings.review.timeout_seconds)


class _Progress:
    """A line every few seconds, on stderr."""

    def __init__(self) -> None:
        self._total = 0
        self._console = Console(stderr=True)
        self._last = self._started = time.monotonic()

    def pushing(self, total: int) -> None:
        self._total = total
        self._last = self._started = time.monotonic()

    def pushed(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last > _PLAIN_LINE_SECONDS:
            self._last = now
            rate = done / max(now - self._started, 1e-3)
            self._console.print(
                f"pushing: {done:,}/{self._total:,} tasks, {rate:.0f}/s", highlight=False
            )


def _pull_again(workspace: "Workspace", gateway: "Gateway", *, as_json: bool) -> None:
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


def _print_push(result: PushResult, seconds: float) -> None:
    if result.resumed:
        typer.echo(f"Went on with {result.resumed:,} questions of an interrupted push")
    if result.withdrawn:
        typer.echo(f"{result.withdrawn:,} tasks withdrawn: their portraits have newer masks")
    if result.lost:
        typer.echo(f"{result.lost:,} tasks were deleted on the server and are there again")
    if result.found:
        typer.echo(f"{result.found:,} tasks were on the server already")
    rate = result.sent / max(seconds, 1e-3)
    typer.echo(
        f"{result.sent:,} tasks sent to {result.project.title!r} in {seconds:.1f} s "
        f"({rate:.0f} a second); {result.left:,} masks are left to ask about"
    )


def _print_pull(result: PullResult, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(vars(result)))  # noqa: T201
        return
    for problem in result.problems:
        typer.echo(f"warning: {printable(problem)}", err=True)
    for title in result.gone:
        typer.echo(f"warning: project {title!r} is not on the server any more", err=True)
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


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end a block as Ctrl-C does: what it started is stopped.

    Ctrl-C is set too: a shell that starts us in the background turns it off.
    """

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
