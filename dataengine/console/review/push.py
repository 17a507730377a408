"""`review push` on a console."""

import time

import typer
from rich.console import Console

from dataengine.console.shared.text import print_json
from db import Verdict
from pipelines.label_studio.connecting import connect
from pipelines.review.choosing import Order
from pipelines.review.push import PushRequest, PushResult, push
from pipelines.workspace.workspace import Workspace

_PLAIN_LINE_SECONDS = 5.0


def verdicts(text: str) -> list[Verdict]:
    """Read `--verdict`: names between commas."""
    try:
        return [Verdict(name.strip()) for name in text.split(",")]
    except ValueError as error:
        names = ", ".join(Verdict)
        raise typer.BadParameter(f"{error}; choose from {names}", param_hint="--verdict") from None


def report_push(
    workspace: Workspace,
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
