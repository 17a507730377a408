"""How a job tells where it is, whoever listens: a console, a notebook, a cluster, or nobody."""

from collections.abc import Iterable, Iterator, Sized
from typing import Final, Protocol, TypeVar

_T = TypeVar("_T")


class Progress(Protocol):
    """Told how far a job is, and asked whether it shall go on.

    Called from the thread that called the job. A job has parts, one after the other.
    """

    def begin(self, what: str, total: int | None, unit: str = "", *, done: int = 0) -> None:
        """A part begins.

        Args:
            what: it does, such as ``pushing``.
            total: number of things to do; None: nobody knows yet.
            unit: what they are called; empty: steps that take long, each worth telling.
            done: of the total, by an earlier call that was interrupted.
        """
        ...

    def advance(self, number: int = 1, note: str = "") -> None:
        """So many more of the part's things are done; the note says in short what came of all."""
        ...

    def say(self, text: str) -> None:
        """A line that is worth reading while the job runs."""
        ...

    def stopping(self) -> bool:
        """Whether the job shall end where it can go on later; asked several times a second."""
        ...


class Silent:
    """Listens to nothing and never stops a job; overwrite what you need."""

    def begin(self, what: str, total: int | None, unit: str = "", *, done: int = 0) -> None:
        """See `Progress`."""

    def advance(self, number: int = 1, note: str = "") -> None:
        """See `Progress`."""

    def say(self, text: str) -> None:
        """See `Progress`."""

    def stopping(self) -> bool:
        """See `Progress`."""
        return False


SILENT: Final[Progress] = Silent()


def tracked(
    progress: Progress, items: Iterable[_T], what: str, unit: str, total: int | None = None
) -> Iterator[_T]:
    """Pass items through as one part of a job, each told when the next one is asked for.

    Args:
        progress: to be told.
        items: to go through.
        what: is done to them.
        unit: what they are called.
        total: number of them; default their length, if they have one.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    progress.begin(what, total, unit)
    for item in items:
        yield item
        progress.advance()
