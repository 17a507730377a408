"""What a process has put into the store and no row names yet.

A blob exists before the row that names it is committed. Whoever removes blobs that no row names
has to know which of them somebody at work is about to name: each process notes the keys here
before it puts them, and strikes them out once its rows are committed.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy.engine import Engine

from db import put_notes, reader, transact, unordered

_SUFFIX = ".puts"


class Intents(Protocol):
    """Notes of this process, and a look at those of others."""

    def note(self, key: str) -> None:
        """Say that a blob is about to be put.

        Raises:
            OSError: the folder cannot be written.
        """

    def settle(self) -> None:
        """Say that rows name, in committed transactions, all that was put and ever will be."""

    def close(self) -> None:
        """Strike everything out: what is not named now never will be."""

    def of(self, names: Iterable[str]) -> set[str]:
        """Keys that these processes are about to name."""

    def forget(self, name: str) -> None:
        """Remove the notes of a dead process."""


class FileIntents:
    """Notes in files of the workspace's folder, which all who work in it see."""

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
        """See `Intents`."""
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        self._file.write(f"{key}\n".encode())

    def settle(self) -> None:
        """See `Intents`."""
        if self._file is not None:
            self._file.truncate(0)

    def close(self) -> None:
        """See `Intents`."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)

    def of(self, names: Iterable[str]) -> set[str]:
        """See `Intents`."""
        found: set[str] = set()
        for name in names:
            try:
                found.update((self._folder / (name + _SUFFIX)).read_text().split())
            except FileNotFoundError:
                continue
        return found

    def forget(self, name: str) -> None:
        """See `Intents`."""
        (self._folder / (name + _SUFFIX)).unlink(missing_ok=True)


class DatabaseIntents:
    """Notes on a database server, for machines that share no folder: each is a transaction."""

    def __init__(self, engine: Engine, owner: str) -> None:
        """Note nothing yet.

        Args:
            engine: of the database, whose writers do not wait for each other.
            owner: this process.
        """
        self._engine = unordered(engine)
        self._owner = owner
        self._is_empty = True

    def note(self, key: str) -> None:
        """See `Intents`."""
        self._is_empty = False
        transact(self._engine, lambda connection: put_notes.add(connection, self._owner, key))

    def settle(self) -> None:
        """See `Intents`."""
        if not self._is_empty:
            self.forget(self._owner)
            self._is_empty = True

    def close(self) -> None:
        """See `Intents`."""
        self.settle()

    def of(self, names: Iterable[str]) -> set[str]:
        """See `Intents`."""
        wanted = list(names)
        return transact(reader(self._engine), lambda connection: put_notes.of(connection, wanted))

    def forget(self, name: str) -> None:
        """See `Intents`."""
        transact(self._engine, lambda connection: put_notes.strike_out(connection, name))
