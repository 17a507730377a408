"""Opening a database to read: nothing on the disk changes, and nobody is waited for.

SQLite's write-ahead log needs two files beside the database. Which way it is opened depends on
whether they are there and can be made:

- they are there (somebody has it open, or died): read-only, with the log as it stands;
- they are not: as a writer that writes nothing, since only a writer takes away the files that it
  made;
- they are not and cannot be made: as a file that never changes. Whether that held is looked at in
  the end.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine

from db.engine import BUSY_TIMEOUT_SECONDS, begin_sqlite, open_engine, parse_url, reader, remember
from db.errors import DatabaseError


def open_to_read(url: str | URL) -> tuple[Engine, Callable[[], None]]:
    """Make an engine that only reads; nothing is opened until it is first used.

    Args:
        url: as for `open_engine`.

    Returns:
        The engine, and what to call when all is read: it closes the engine, and raises
        `DatabaseError` if the file was written to in a way that its reader could not see.

    Raises:
        DatabaseError: as `open_engine`.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = reader(open_engine(parsed))
        return engine, engine.dispose
    file = _File(Path(str(parsed.database)))
    engine = sa.create_engine(parsed, creator=file.connect)
    event.listen(engine, "begin", begin_sqlite)
    remember(engine)

    def close() -> None:
        engine.dispose()
        file.require_unchanged()

    return reader(engine), close


_NEVER_CHANGES = "mode=ro&immutable=1"


class _File:
    """A SQLite file, opened in whichever way changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unchanging: tuple[int, int] | None = None
        # Once for all connections: they are closed in no certain order.
        self._options = ""

    def connect(self) -> sqlite3.Connection:
        self._options = self._options or self._way()
        if self._options == _NEVER_CHANGES:
            self._unchanging = self._unchanging or self._state()
        return self._open(self._options)

    def _way(self) -> str:
        log, index = (self._path.with_name(f"{self._path.name}-{each}") for each in ("wal", "shm"))
        writable = os.access(self._path.parent, os.W_OK) and os.access(self._path, os.W_OK)
        if writable:
            return "mode=ro" if log.exists() else "mode=rw"
        if not log.exists() or (not index.exists() and log.stat().st_size == 0):
            return _NEVER_CHANGES
        if index.exists():
            return "mode=ro"
        raise DatabaseError(
            f"{self._path}: cannot be read in a folder that is read-only, since the program that "
            "last wrote it was interrupted; open it once where it can be written to "
            "(`dataengine status` is enough)"
        )

    def require_unchanged(self) -> None:
        if self._unchanging is not None and self._state() != self._unchanging:
            raise DatabaseError(
                f"{self._path}: was written to while it was read, which cannot be followed from a "
                "folder that is read-only here; run the same command again"
            )

    def _open(self, options: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self._path.absolute()))}?{options}",
            uri=True,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            # The pool hands a connection from thread to thread, one at a time.
            check_same_thread=False,
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _state(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_size, found.st_mtime_ns
