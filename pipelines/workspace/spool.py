"""What was fetched and is still needed, on the disk: a crawl from elsewhere is downloaded once.

Only a convenience: whatever is not there is fetched again. It is emptied when `ingest` ends, and by
`forget`, so nothing of a photo stays in it.
"""

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

_LOOK_AGAIN_SECONDS: Final = 5.0


class Spool:
    """A folder of bounded size, shared by the processes of a workspace."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Nothing is made before something is kept.

        Args:
            folder: its place.
            limit_bytes: no more is kept than this, by and large: processes do not wait for each
                other.
        """
        self._folder, self._limit = folder, limit_bytes
        self._used, self._looked = 0, float("-inf")
        self._lock = threading.Lock()

    def path(self, *names: str | None) -> Path:
        """Where something is, or would be."""
        key = hashlib.sha256("\0".join(str(name) for name in names).encode()).hexdigest()
        return self._folder / key

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be kept."""
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_AGAIN_SECONDS:
                self._used, self._looked = _size_of(self._folder), time.monotonic()
            if self._used + size > self._limit:
                return False
            self._used += size
            return True

    def keep(self, data: bytes, *names: str) -> None:
        """Keep some bytes, if there is room; whatever goes wrong, they are just not kept."""
        if self.has_room(len(data)):
            self.save(lambda file: file.write(data), *names)
        else:
            self.drop(*names)  # what an earlier run left may be something else

    def save(self, write: Callable[[BinaryIO], object], *names: str | None) -> Path | None:
        """Keep what a function writes: whole, or not at all.

        Returns:
            Where; None: the disk would not have it.
        """
        target = self.path(*names)
        try:
            self._folder.mkdir(exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".", dir=self._folder)
        except OSError:
            return None
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
            os.replace(temporary, target)  # noqa: PTH105
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            return None
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return target

    def take(self, *names: str) -> bytes | None:
        """What was kept, which goes; None: it is not there."""
        path = self.path(*names)
        try:
            data = path.read_bytes()
            path.unlink(missing_ok=True)
        except OSError:
            return None
        with self._lock:
            self._used = max(0, self._used - len(data))
        return data

    def drop(self, *names: str) -> None:
        """Let go of what nobody will ask for."""
        self.path(*names).unlink(missing_ok=True)

    def clear(self) -> None:
        """Empty it."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _size_of(folder: Path) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    total += entry.stat().st_size
                except OSError:  # taken meanwhile
                    continue
    except OSError:
        return 0
    return total
