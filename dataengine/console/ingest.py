"""`ingest` on a console: progress while it runs, a summary when it ends, a clean stop on Ctrl-C."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress

from dataengine.console.shared.progress import bar
from dataengine.console.shared.text import print_json, printable
from dataengine.console.status import print_funnel
from db import reader
from pipelines.ingest import IngestRequest, IngestResult, Observer, check_request, ingest, plan
from pipelines.ingest.scan import PairCounts, ScanSummary
from pipelines.ingest.tally import Tally
from pipelines.networks.current import resolve_settings
from pipelines.networks.names import CURRENT
from pipelines.portraits.funnel import funnel
from pipelines.workspace.opening import init_if_missing
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace
from sinet.pictures.masks import told

_PLAIN_LINE_SECONDS = 5.0
_NAMED = 5  # masks without a photo are named so far, then counted


def run_ingest(root: Path, settings: Settings, request: IngestRequest, *, as_json: bool) -> bool:
    """Ingest and report; True if it was interrupted."""
    console = Console(stderr=True)
    settings = _with_current_student(root, settings)
    check_request(settings, request)
    if init_if_missing(root):
        typer.echo(f"Made a workspace in {root.absolute()}", err=True)
    workspace = Workspace(root, settings)
    try:
        with _stop_signal(console) as stop, _observer(console) as observer:
            result = ingest(workspace, request, observer, stop)
        with reader(workspace.engine).begin() as connection:
            state = funnel(connection)
    finally:
        workspace.close()
    if as_json:
        print_json({"run": _as_dict(result), "status": state.as_dict()})
    else:
        _report_scan(result.scan)
        _report_run(result)
        print_funnel(state)
    if result.warning:
        typer.echo(f"warning: {result.warning}", err=True)
    if result.interrupted:
        console.print("Stopped. Run the same command to go on where it was.")
    return result.interrupted


def _with_current_student(root: Path, settings: Settings) -> Settings:
    """The settings with the checkpoint that `sinet:current` stands for.

    Raises:
        WorkspaceError: there is no workspace, hence no student.
        ModelError: there is no student yet.
    """
    if CURRENT not in (settings.teacher.name, settings.teacher.second_opinion):
        return settings
    workspace = Workspace(root, settings)
    try:
        return resolve_settings(workspace)
    finally:
        workspace.close()


def report_plan(root: Path, settings: Settings, request: IngestRequest, *, as_json: bool) -> None:
    """Say what `ingest` would do."""
    settings = _with_current_student(root, settings)
    check_request(settings, request)
    found = plan(root, settings, request)
    if as_json:
        print_json(found)
        return
    files = found.files
    typer.echo(
        f"Would take in {files.new:,} new and {files.changed:,} changed files; "
        f"{files.known:,} are known."
    )
    if found.pending or found.failed:
        typer.echo(f"In the workspace: {found.pending:,} jobs left, {found.failed:,} failed.")
    _report_scan(found.scan)


class _Stop:
    """Set by the first Ctrl-C or SIGTERM; the second one interrupts at once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._asked = False

    def __call__(self) -> bool:
        return self._asked

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._console.print("Stopping after the batches under way (Ctrl-C again: at once) …")


@contextmanager
def _stop_signal(console: Console) -> Iterator[_Stop]:
    stop = _Stop(console)
    previous = {
        number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _observer(console: Console) -> Iterator[Observer]:
    if not console.is_terminal:
        yield _PlainLines()
        return
    with bar(console, "rate", "note") as progress:
        yield _Bar(progress)


class _Bar:
    """Progress on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("scanning", total=None, rate="", note="")
        self._started = time.monotonic()

    def scanning(self, seen: int) -> None:
        self._progress.update(self._task, completed=seen, note="files found")

    def working(self, total_files: int, workers: int) -> None:
        self._progress.reset(
            self._task,
            description="ingesting",
            total=total_files,
            note=f"starting {workers} workers",
        )
        self._started = time.monotonic()

    def progressed(self, tally: Tally) -> None:
        rate = tally.files / max(time.monotonic() - self._started, 1e-3)
        self._progress.update(
            self._task, completed=tally.files, rate=f"{rate:.1f} images/s", note=_note(tally)
        )


class _PlainLines:
    """Progress where there is no terminal: a line every few seconds."""

    def __init__(self) -> None:
        self._last = self._started = time.monotonic()
        self._total = 0

    def scanning(self, seen: int) -> None:
        if time.monotonic() - self._last > _PLAIN_LINE_SECONDS:
            self._say(f"scanning: {seen:,} files found")

    def working(self, total_files: int, workers: int) -> None:
        self._total = total_files
        self._say(f"ingesting {total_files:,} files with {workers or 'no further'} workers")
        self._started = time.monotonic()

    def progressed(self, tally: Tally) -> None:
        if time.monotonic() - self._last > _PLAIN_LINE_SECONDS:
            elapsed = time.monotonic() - self._started
            rate = tally.files / max(elapsed, 1e-3)
            text = f"{tally.files:,}/{self._total:,} images, {rate:.1f}/s, {_note(tally)}"
            if tally.files:  # the first batches only read
                text += f", {max(self._total - tally.files, 0) / rate:.0f} s left"
            self._say(text)

    def _say(self, text: str) -> None:
        self._last = time.monotonic()
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def _note(tally: Tally) -> str:
    rejected = tally.verdicts.get("rejected", 0)
    failures = sum(tally.failures.values())
    return f"{tally.portraits:,} portraits, {rejected:,} rejected, {failures:,} failures"


def _report_scan(scan: ScanSummary) -> None:
    if scan.ignored:
        kinds = ", ".join(f"{suffix} {number:,}" for suffix, number in scan.ignored.most_common())
        typer.echo(f"Not images, left out: {kinds}")
    if scan.skipped:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in scan.skipped.most_common())
        typer.echo(f"Not files, left out: {kinds}")
    if scan.pairs is not None:
        _report_pairs(scan.pairs)
    for note in scan.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    for path, reason in [*scan.unreadable, *scan.broken_tars]:
        typer.echo(f"warning: {printable(path)}: {reason}", err=True)


def _report_pairs(pairs: PairCounts) -> None:
    typer.echo(
        f"Masks: {pairs.found:,} found, {pairs.missing:,} photos without one, "
        f"{pairs.ambiguous:,} ambiguous (see `dataengine failures`)"
    )
    if pairs.unused:
        shown = ", ".join(printable(path) for path in pairs.unused[:_NAMED])
        more = f" and {len(pairs.unused) - _NAMED:,} more" if len(pairs.unused) > _NAMED else ""
        typer.echo(f"Masks without a photo: {len(pairs.unused):,}: {shown}{more}")


def _report_run(result: IngestResult) -> None:
    files, tally = result.files, result.tally
    parts = [f"{files.new:,} new", f"{files.changed:,} changed", f"{files.known:,} known files"]
    if result.retried:
        parts.append(f"{result.retried:,} failed jobs tried again")
    typer.echo(", ".join(parts))
    if tally.files:
        typer.echo(
            f"{tally.files:,} files in {result.seconds:.1f} s "
            f"({tally.files / max(result.seconds, 1e-3):.1f} a second), {_note(tally)}"
        )
    if tally.masks_read:
        typer.echo(f"Masks read as: {told(tally.masks_read)}")


def _as_dict(result: IngestResult) -> dict[str, Any]:
    return {
        "new": result.files.new,
        "changed": result.files.changed,
        "known": result.files.known,
        "retried": result.retried,
        "seconds": round(result.seconds, 3),
        "interrupted": result.interrupted,
        "offered": result.scan.offered,
        "ignored": dict(result.scan.ignored),
        "skipped": dict(result.scan.skipped),
        "notes": result.scan.notes,
        "warning": result.warning,
        "pairs": result.scan.pairs and vars(result.scan.pairs),
        **vars(result.tally),
    }
