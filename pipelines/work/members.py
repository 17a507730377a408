"""The two kinds of workers: a process of its own, or a thread of this one.

Processes, not threads, do the work of a run: a worker that dies of an item takes no other with it,
and one that is stuck can be ended. The one thread stands in for them where
no process is wanted; it can be left behind as a process can be killed, for it has a workplace of
its own, and whatever it still commits was not taken from it.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from db import DatabaseError, explain
from pipelines.work.stage import Order
from pipelines.work.worker import work
from pipelines.workspace.errors import PipelineError, WorkerError, explain_foreign


@dataclass(frozen=True)
class Broken:
    """Last message of a worker process that cannot go on, though no item is at fault."""

    message: str
    details: str

    def error(self) -> WorkerError:
        """To be raised where the work was ordered."""
        error = WorkerError(self.message)
        error.__cause__ = RuntimeError(self.details) if self.details else None
        return error


class Member(Protocol):
    """A worker as its supervisor sees it.

    Attributes:
        pipe: to it; ends when it does.
        error: why it gave up, known once the pipe has ended.
    """

    pipe: Connection
    error: Exception | None

    def join(self) -> int | None:
        """Wait for its end after that of the pipe; 0 if it ended by itself, in order."""
        ...

    def kill(self) -> None:
        """End it at once, or never listen to it again."""
        ...


class ProcessMember:
    """A worker process."""

    error: Exception | None = None

    def __init__(self, order: Order) -> None:
        context = _context(order.preload)
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=work_in_process, args=(order, theirs), daemon=True)
        with _stop_signals_held_back():
            self._process.start()
        theirs.close()

    def join(self) -> int | None:
        """See `Member`."""
        self._process.join()
        code: int | None = self._process.exitcode
        return code

    def kill(self) -> None:
        """See `Member`."""
        self._process.kill()


class ThreadMember:
    """A worker in this process."""

    def __init__(self, order: Order) -> None:
        self.error: Exception | None = None
        self.pipe, self._theirs = multiprocessing.Pipe()
        self._left_behind = False
        # A daemon: the program's end does not wait for what was left behind.
        self._thread = threading.Thread(target=self._work, args=(order,), daemon=True)
        self._thread.start()

    def join(self) -> int | None:
        """See `Member`."""
        if self._left_behind:
            return 1
        self._thread.join()
        return int(self.error is not None)

    def kill(self) -> None:
        """See `Member`."""
        self._left_behind = True

    def _work(self, order: Order) -> None:
        try:
            work(order, self._theirs, load_first=False)
        except Exception as error:  # raised where the work was ordered
            self.error = error
        finally:
            self._theirs.close()


def _context(preload: tuple[str, ...]) -> Any:
    """How processes start: copied from a server that has imported what they need, once.

    Imports take longer than hundreds of photos, and what they leave in memory is shared. The
    server is a fresh process without threads, connections or a CUDA context, none of which
    survives being copied; so this one is never forked itself. The libraries of macOS do not bear
    even that.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # What is preloaded last tells the garbage collector to leave all of it alone, and so shared.
    context.set_forkserver_preload(["__main__", __name__, *preload, "pipelines.work.preloaded"])
    return context


def work_in_process(order: Order, pipe: Connection) -> None:
    """Body of a worker process: `work`, and `Broken` if it has to give up.

    It dies with its parent, however that died.
    """
    # As in the parent: Pillow warns of every odd EXIF block.
    warnings.filterwarnings("ignore", module="PIL")
    _die_with_parent()
    if order.gpu is not None:
        _show_one_gpu(order.gpu)
    try:
        work(order, pipe, load_first=True)
    except Exception as error:  # the parent tells the user; a traceback here would be lost
        pipe.send(broken_by(error))


def broken_by(error: Exception) -> Broken:
    """What a worker says that cannot go on: one line, and where it happened."""
    if isinstance(error, PipelineError | DatabaseError):
        message = str(error)
    else:
        unexpected = f"unexpected {type(error).__name__}: {error}"
        message = explain(error) or explain_foreign(error) or unexpected
    return Broken(message, traceback.format_exc())


def _show_one_gpu(number: int) -> None:
    """Let CUDA, which has not been asked for anything yet, see one of the devices there are."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [name for name in visible.split(",") if name] if visible else []
    os.environ["CUDA_VISIBLE_DEVICES"] = names[number] if number < len(names) else str(number)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _stop_signals_held_back() -> Iterator[None]:
    """Processes started within never see Ctrl-C or SIGTERM, not even while they import modules.

    Both reach the whole process group (a terminal's, a service's), but only the parent decides
    what they mean; there they come when this is left. It ends workers by other means.
    """
    # Started now, since its start would let the signal through again.
    resource_tracker.ensure_running()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
