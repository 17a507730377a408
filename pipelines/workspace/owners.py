"""Who is alive: every process that holds jobs also holds a lock file, which dies with it.

A lease alone would make an interrupted run wait for its end. The kernel releases a dead process's
lock at once, whatever killed it, and process ids that are used again cannot deceive it.
"""

import fcntl
import os
import secrets
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_SUFFIX = ".lock"


class OwnerLock:
    """This process's identity in a workspace.

    Attributes:
        name: the owner written into jobs: host name, process id and random digits.
    """

    def __init__(self, folder: Path) -> None:
        """Take a fresh lock.

        Args:
            folder: of the workspace's lock files; made if missing.

        Raises:
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._path = folder / (self.name + _SUFFIX)
        self._file = _locked(self._path)

    def release(self) -> None:
        """Give the name up; its jobs must have been finished or released."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def dead_owners(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of the named owners that certainly live no more.

    Owners on other machines are never called dead: their leases decide.
    """
    return [name for name in names if _is_ours(name) and not _is_locked(folder / (name + _SUFFIX))]


def abandoned_locks(folder: Path) -> list[str]:
    """Names of dead owners whose lock files still lie about."""
    return dead_owners(folder, [path.stem for path in folder.glob("*" + _SUFFIX)])


def at_work_since(folder: Path, *, but: str) -> float:
    """When the oldest process that may be at work was started; now if there is none.

    What no row names and was written before that will never be named by one. Locks of other
    machines are never called dead, so neither are the processes.

    Args:
        folder: of the workspace's lock files.
        but: an owner that is left out: the one who asks.

    Returns:
        Unix time in seconds, by the clock of the file system.
    """
    # The clock of a network disk may differ from this machine's.
    with tempfile.TemporaryFile(dir=folder) as probe:
        started = [os.fstat(probe.fileno()).st_mtime]
    left_out = {*abandoned_locks(folder), but}
    for path in folder.glob("*" + _SUFFIX):
        if path.stem not in left_out:
            try:
                started.append(path.stat().st_mtime)
            except FileNotFoundError:  # it has just ended: what it put is named, or never will be
                continue
    return min(started)


def remove_lock(folder: Path, name: str) -> None:
    """Forget a dead owner, after its jobs and temporary files were cleared away."""
    path = folder / (name + _SUFFIX)
    try:
        with path.open("rb") as file:
            # Under the lock: a process that has just made this file must not lose it.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except (FileNotFoundError, BlockingIOError):
        pass


def _locked(path: Path) -> IO[bytes]:
    """Make and lock a file, again if somebody took it for a leftover before it was locked."""
    while True:
        file = path.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()


def _is_ours(name: str) -> bool:
    return name.rsplit("-", 2)[0] == _host()


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except FileNotFoundError:
        return False
    return False


def _host() -> str:
    return socket.gethostname().replace("/", "_") or "localhost"
