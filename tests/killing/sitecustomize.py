"""Counts what processes change in the world, and kills them at the n-th change if told to.

Python runs this file at its start where its folder is in PYTHONPATH, workers included. A change is
a statement that writes to a database, a commit, or a file that is opened to write, renamed, linked
or removed. Each is noted in a journal just before it happens: `tests.kills` reads it.
"""

import contextlib
import os
import signal
import sqlite3
import struct
import sys
import threading
from typing import Any

RECORD = struct.Struct("<I")  # the process
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FILE_EVENTS = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate",
}  # fmt: skip
_STATEMENTS = (
    "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP", "COMMIT", "VACUUM",
)  # fmt: skip


_connect = sqlite3.connect


class Journal:
    """Notes every change, and kills whom it is told to before the one it is told."""

    def __init__(self, path: str, root: str, at: int, whom: str, main: int) -> None:
        self._path, self._root, self._at, self._whom, self._main = path, root, at, whom, main
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None

    def note(self) -> None:
        """One more change is about to happen."""
        with self._lock:
            if self._file is None or self._file[0] != os.getpid():
                opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
                self._file = os.getpid(), opened
            descriptor = self._file[1]
            os.write(descriptor, RECORD.pack(os.getpid()))
            number = os.lseek(descriptor, 0, os.SEEK_CUR) // RECORD.size
        if self._at and number >= self._at:
            self._kill()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """A hook of `sys.addaudithook`."""
        is_change = event in _FILE_EVENTS or (event == "open" and _is_writing(arguments[2]))
        if is_change and self._is_of_the_world(arguments[0]):
            self.note()

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """Instead of `sqlite3.connect`."""
        connection: sqlite3.Connection = _connect(*arguments, **options)
        connection.set_trace_callback(self._statement)
        return connection

    def watch_postgres(self) -> None:
        """Note what goes to a server, too."""
        import psycopg

        for name in ("execute", "executemany"):
            setattr(psycopg.Cursor, name, self._noting(getattr(psycopg.Cursor, name)))
        commit = psycopg.Connection.commit

        def noted(connection: Any) -> None:
            self.note()
            commit(connection)

        psycopg.Connection.commit = noted  # type: ignore[method-assign]

    def _noting(self, execute: Any) -> Any:
        def noted(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            self._statement(str(query))
            return execute(cursor, query, *arguments, **options)

        return noted

    def _statement(self, text: str) -> None:
        if text.lstrip().upper().startswith(_STATEMENTS):
            self.note()

    def _is_of_the_world(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        text = os.fsdecode(path)
        return not text.startswith("/") or text.startswith(self._root)

    def _kill(self) -> None:
        if self._whom == "group":
            os.killpg(0, signal.SIGKILL)
        if self._whom == "worker" and os.getpid() == self._main:
            return
        # Once: those that live on make changes, too.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(f"{self._path}.killed", os.O_CREAT | os.O_EXCL))
            os.kill(self._main if self._whom == "parent" else os.getpid(), signal.SIGKILL)


def _is_writing(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & _WRITING)


def install() -> None:
    """Begin to note what this process and those it starts change, as the environment says."""
    journal = Journal(
        path=os.environ["KILLS_JOURNAL"],
        root=os.environ["KILLS_ROOT"],
        at=int(os.environ["KILLS_AT"]),
        whom=os.environ["KILLS_WHOM"],
        main=int(os.environ.setdefault("KILLS_MAIN", str(os.getpid()))),
    )
    sys.addaudithook(journal.audit)
    if os.environ.get("DATAENGINE_DATABASE", "").startswith("postgresql"):
        journal.watch_postgres()
    sqlite3.connect = sqlite3.dbapi2.connect = journal.connect  # type: ignore[attr-defined]


if "KILLS_JOURNAL" in os.environ:
    install()
