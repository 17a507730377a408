"""One process at a time: locks that the kernel frees when their holder dies, however it dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyLockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file; its folder must be there.

    Raises:
        AlreadyLockedError: another process holds it.
        OSError: the file cannot be made.
    """
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyLockedError(str(path)) from None
        yield
