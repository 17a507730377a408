"""`verify` on a console: what to check, progress, and what was found."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from dataengine.console.shared.progress import bar
from dataengine.console.shared.text import number_of, print_json, printable
from dataengine.context import opened, root_of
from pipelines.lineage.report import Observer, Report
from pipelines.lineage.verifying import verify_folder, verify_release, verify_workspace
from pipelines.workspace.workspace import WorkspacePaths

_PLAIN_LINE_SECONDS = 5.0


def run_verify(context: typer.Context, release: str | None, *, as_json: bool) -> bool:
    """Check a workspace, or one release, and say what was found; False if something is wrong."""
    with _observer(Console(stderr=True)) as observer:
        started = time.monotonic()
        report = _verify(context, release, observer)
        seconds = time.monotonic() - started
    if as_json:
        print_json({**report.as_dict(), "seconds": round(seconds, 3)})
    else:
        _print(report, seconds)
    return report.ok


def _verify(context: typer.Context, release: str | None, observer: Observer) -> Report:
    if release is None:
        with opened(context) as workspace:
            return verify_workspace(workspace, observer)
    folder = Path(release)
    if not folder.is_dir():
        with opened(context) as workspace:
            return verify_release(workspace, release, observer)
    # A release is whole or not wherever it is: a workspace only adds what it knows of it.
    if not WorkspacePaths(root_of(context)).exists:
        return verify_folder(folder, None, observer)
    with opened(context) as workspace:
        return verify_folder(folder, workspace, observer)


def _print(report: Report, seconds: float) -> None:
    for problem in report.problems:
        typer.echo(printable(problem.message))
    for note in report.notes:
        typer.echo(f"note: {printable(note)}")
    parts = [
        number_of(number, *nouns)
        for number, *nouns in (
            (report.blobs, "blob"),
            (report.references, "kind of references", "kinds of references"),
            (report.releases, "release"),
            (report.files, "released file"),
            (report.runs, "run"),
        )
        if number
    ]
    read = f"{report.bytes / 1e6:,.1f} MB in {seconds:.1f} s"
    verdict = "all is well" if report.ok else number_of(len(report.problems), "problem")
    typer.echo(f"{verdict}: {', '.join(parts) or 'nothing to check'}; {read}")
    if report.unnamed:
        unnamed = number_of(report.unnamed, "blob")
        typer.echo(f"{unnamed} that no row names: `dataengine gc` removes what nobody needs")


@contextmanager
def _observer(console: Console) -> Iterator[Observer]:
    if not console.is_terminal:
        yield _PlainLines(console)
        return
    with bar(console, "rate") as progress:
        yield _Bar(progress)


class _Bar:
    """One bar for blobs, one for each release."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = TaskID(0)
        self._started = time.monotonic()
        self._bytes = 0

    def checking(self, what: str, total: int) -> None:
        self._started, self._bytes = time.monotonic(), 0
        self._task = self._progress.add_task(printable(what)[-40:], total=total, rate="")

    def checked(self, number: int, read_bytes: int) -> None:
        self._bytes += read_bytes
        rate = self._bytes / max(time.monotonic() - self._started, 1e-3)
        self._progress.update(self._task, advance=number, rate=f"{rate / 1e6:,.0f} MB/s")


class _PlainLines:
    """A line every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what, self._total, self._done = "", 0, 0
        self._last = time.monotonic()

    def checking(self, what: str, total: int) -> None:
        self._what, self._total, self._done = printable(what), total, 0

    def checked(self, number: int, read_bytes: int) -> None:
        del read_bytes
        self._done += number
        if time.monotonic() - self._last > _PLAIN_LINE_SECONDS:
            self._last = time.monotonic()
            line = f"checking {self._what}: {self._done:,}/{self._total:,}"
            self._console.print(line, highlight=False, markup=False)
