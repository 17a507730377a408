"""Blobs of a bucket on this machine's disk, for all its processes, up to a size.

What it holds is never believed: a blob is hashed whenever it is read, and one that does not match
its name is thrown away and fetched again. Nothing depends on it: where it cannot be written, blobs
are read from the bucket.
"""

import fcntl
import hashlib
import itertools
import os
import threading
from contextlib import suppress
from pathlib import Path

from pipelines.workspace.files import open_regular
from pipelines.workspace.store import digest_of, is_key

# A process looks how much there is when it has added so much of the limit.
_LOOK_SHARE = 1 / 16
_KEPT_SHARE = 0.9
_LEFTOVER = ".part"


class BlobCache:
    """A folder of blobs under their keys; those not asked for longest go first."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Nothing is made yet.

        Args:
            folder: of the cache; made when the first blob is kept.
            max_bytes: it is brought below that whenever it has grown beyond.
        """
        self.folder = folder
        self._max_bytes = max_bytes
        self._added = max_bytes  # nothing is known of what others have added
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def get(self, key: str) -> bytes | None:
        """A blob, checked; None: it is not here."""
        path = self.folder / key
        try:
            with open_regular(path) as file:
                data = file.read()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() != digest_of(key):
            self.discard(key)
            return None
        with suppress(OSError):
            os.utime(path)
        return data

    def keep(self, key: str, data: bytes) -> None:
        """Add a blob, if that is possible."""
        path = self.folder / key
        part = self.folder / f"{os.getpid()}.{next(self._numbers)}{_LEFTOVER}"
        if len(data) > self._max_bytes:
            return
        try:
            if path.exists():
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            return
        with self._lock:
            self._added += len(data)
            is_time = self._added > self._max_bytes * _LOOK_SHARE
            if is_time:
                self._added = 0
        if is_time:
            self._shrink()

    def discard(self, key: str) -> None:
        """Remove a blob, if it is here."""
        with suppress(OSError):
            (self.folder / key).unlink(missing_ok=True)

    def keys(self) -> list[str]:
        """Of all blobs that are here."""
        found = (path.relative_to(self.folder).as_posix() for path in self.folder.glob("*/*/*"))
        return [key for key in found if is_key(key)]

    def _shrink(self) -> None:
        """Remove the oldest, if there is too much; one process at a time."""
        with suppress(OSError), (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            files = []
            for path in itertools.chain(
                self.folder.glob("*/*/*"), self.folder.glob(f"*{_LEFTOVER}")
            ):
                with suppress(FileNotFoundError):
                    found = path.stat()
                    files.append((found.st_mtime_ns, found.st_size, path))
            total = sum(size for _, size, _ in files)
            if total <= self._max_bytes:
                return
            for _, size, path in sorted(files):
                if total <= self._max_bytes * _KEPT_SHARE:
                    break
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                    total -= size
