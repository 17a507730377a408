"""What Ctrl-C and SIGTERM do to a command at work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from dataengine.console.shared.text import say

INTERRUPTED = 130
"""Exit code of what Ctrl-C has ended."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
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


@contextmanager
def exit_on_interrupt(text: str) -> Iterator[None]:
    """Ctrl-C ends the command with a line that says what is left."""
    try:
        yield
    except KeyboardInterrupt:
        say(text, err=True)
        raise typer.Exit(INTERRUPTED) from None
