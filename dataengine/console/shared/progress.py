"""How work in progress looks: on a terminal a bar that goes away, elsewhere a line now and then."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pipelines.workspace import progress as pipelines
from sinet.escaping import printable

_PLAIN_LINE_SECONDS = 5.0
_DESCRIPTION_CHARACTERS = 40
# Above it the time left is told in hours and minutes.
_MANY_SECONDS = 600


@contextmanager
def shown_progress(*, stoppable: bool = False) -> Iterator[pipelines.Progress]:
    """What a job tells, on standard error.

    Args:
        stoppable: the job ends by itself when it is asked to: the first Ctrl-C or SIGTERM asks,
            the second one interrupts at once.
    """
    console = Console(stderr=True)
    asked = _Asked(console)
    numbers = (signal.SIGINT, signal.SIGTERM) if stoppable else ()
    previous = {number: signal.signal(number, asked.ask) for number in numbers}
    try:
        if console.is_terminal:
            with _bar(console) as bar:
                yield _Bar(bar, asked)
        else:
            yield _PlainLines(asked)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Asked:
    """Whether somebody has asked the job to stop."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.to_stop = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        if self.to_stop:
            raise KeyboardInterrupt
        self.to_stop = True
        self._console.print("Stopping after the batches under way (Ctrl-C again: at once) …")


class _Bar:
    """On a terminal: one bar, that of the part under way."""

    def __init__(self, progress: Progress, asked: _Asked) -> None:
        self._progress, self._asked = progress, asked
        self._task: TaskID | None = None

    def begin(self, what: str, total: int | None, unit: str = "", *, done: int = 0) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        description = printable(what)[-_DESCRIPTION_CHARACTERS:]
        self._task = self._progress.add_task(
            description, total=total, completed=done, unit=unit, note=""
        )

    def advance(self, number: int = 1, note: str = "") -> None:
        if self._task is not None:
            self._progress.update(self._task, advance=number, note=printable(note))

    def say(self, text: str) -> None:
        self._progress.console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def stopping(self) -> bool:
        return self._asked.to_stop


class _PlainLines:
    """Where there is no terminal: a line every few seconds; of long steps one each."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._what, self._unit = "", ""
        self._total: int | None = None
        self._done = self._done_before = 0
        self._last = self._started = time.monotonic()

    def begin(self, what: str, total: int | None, unit: str = "", *, done: int = 0) -> None:
        self._what, self._total, self._unit = printable(what), total, unit
        self._done = self._done_before = done
        self._last = self._started = time.monotonic()

    def advance(self, number: int = 1, note: str = "") -> None:
        self._done += number
        now = time.monotonic()
        if self._unit and now - self._last <= _PLAIN_LINE_SECONDS:
            return
        self._last = now
        told = ", ".join([*filter(None, [note]), *self._left(now)])
        between = ", " if self._unit else ": "
        self.say(between.join(filter(None, [self._counted(now), told])))

    def say(self, text: str) -> None:
        print(printable(text), file=sys.stderr, flush=True)  # noqa: T201

    def stopping(self) -> bool:
        return self._asked.to_stop

    def _counted(self, now: float) -> str:
        if not self._unit:
            return f"{time.strftime('%H:%M:%S')} {self._what} {self._done:,}/{self._total or 0:,}"
        if self._total is None:
            return f"{self._what}: {self._done:,} {self._unit}"
        return f"{self._done:,}/{self._total:,} {self._unit}, {self._rate(now):.1f}/s"

    def _left(self, now: float) -> list[str]:
        """Nothing before something is done: nobody knows yet."""
        if self._total is None or self._done == self._done_before:
            return []
        seconds = round(max(self._total - self._done, 0) / self._rate(now))
        if seconds < _MANY_SECONDS:
            return [f"{seconds} s left"]
        hours, minutes = divmod(seconds // 60, 60)
        return [f"{hours}:{minutes:02} h left"]

    def _rate(self, now: float) -> float:
        return (self._done - self._done_before) / max(now - self._started, 1e-3)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
