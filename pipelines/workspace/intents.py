"""What a process has put into the store and no row names yet.

A blob exists before the row that names it is committed. Whoever removes blobs that no row names
has to know which of them somebody at work is about to name: each process notes the keys here
before it puts them, and strikes them out once its rows are committed.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import IO

_SUFFIX = ".puts"


class Intents:
    """Notes of this process, and a look at those of others."""

    def __init__(self, folder: Path, owner: str) -> None:
        """Note nothing yet.

        Args:
            folder: of the workspace's lock files.
            owner: this process.
        """
        self._folder = folder
        self._path = folder / (owner + _SUFFIX)
        self._file: IO[bytes] | None = None

    def note(self, key: str) -> None:
        """Say that a blob is about to be put.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        self._file.write(f"{key}\n".encode())

    def settle(self) -> None:
        """Say that rows name, in committed transactions, all that was put and ever will be."""
        if self._file is not None:
            self._file.truncate(0)

    def close(self) -> None:
        """Strike everything out: what is not named now never will be."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)

    def of(self, names: Iterable[str]) -> set[str]:
        """Keys that these processes are about to name."""
        found: set[str] = set()
        for name in names:
            try:
                found.update((self._folder / (name + _SUFFIX)).read_text().split())
            except FileNotFoundError:
                continue
        return found

    def forget(self, name: str) -> None:
        """Remove the notes of a dead process."""
        (self._folder / (name + _SUFFIX)).unlink(missing_ok=True)
