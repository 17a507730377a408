"""Who is alive: every process that writes holds a lock file, has a row, and its heart beats there.

The kernel releases a dead process's lock at once, whatever killed it, and process ids that are used
again cannot deceive it: who shares kernel and folder with a process tries its lock. Whoever does
not (another machine, a container that was restarted elsewhere) listens to its heart: a process is
dead when its count of beats stood still while the listener's own went on. Both need the database
for their beats, so a busy database silences neither alone; and no clock is compared with another.
"""

import fcntl
import os
import secrets
import shlex
import socket
import sys
import threading
import weakref
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db import Owner, owners, queue, reader, transact, unordered

BEAT_SECONDS = 3.0
SILENT_BEATS = 5
"""So many own beats without one of another's, and the other is dead."""

_SUFFIX = ".lock"
_LOOK_SECONDS = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_COMMAND_CHARACTERS = 200


class Presence:
    """This process's presence in a workspace, and what it knows of the others'.

    Attributes:
        name: the owner written into jobs and temporary files: host name, process id and random
            digits.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Take a fresh lock, write the row, and begin to beat.

        Args:
            engine: of a database with today's tables.
            folder: of the workspace's lock files; made if missing.

        Raises:
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        host = socket.gethostname().replace("/", "_") or "localhost"
        self.name = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
        self._engine = engine
        self._folder = folder
        self._owner = Owner(
            name=self.name,
            host=host,
            place=_place(folder),
            pid=os.getpid(),
            command=_command(),
            started_at=datetime.now(UTC),
        )
        self._own_beats = 0
        self._heard: dict[str, tuple[int, int, bool]] = {}
        self._stop = threading.Event()
        self._file = _locked(folder / (self.name + _SUFFIX))
        transact(unordered(engine), lambda connection: owners.enter(connection, self._owner))
        # Not a method: a workspace that is dropped without being closed must not live on in it.
        arguments = (weakref.ref(self), self._stop)
        self._heart = threading.Thread(target=_beat, args=arguments, daemon=True)
        self._heart.start()

    def release(self) -> None:
        """Leave; jobs must have been finished or released."""
        self._stop.set()
        self._heart.join()
        transact(self._engine, lambda connection: owners.leave(connection, self.name))
        (self._folder / (self.name + _SUFFIX)).unlink(missing_ok=True)
        self._file.close()

    def beat(self) -> None:
        """Count up, and listen to the others."""

        def count(connection: Connection) -> dict[str, Owner]:
            owners.beat(connection, self._owner)
            return owners.present(connection)

        there = transact(unordered(self._engine), count)
        own = self._own_beats = self._own_beats + 1
        before = self._heard
        heard = {}
        for name, owner in there.items():
            beats, since, has_beaten = before.get(name, (owner.beats, own, False))
            if owner.beats != beats:
                beats, since, has_beaten = owner.beats, own, True
            heard[name] = (beats, since, has_beaten)
        self._heard = heard

    def dead(self, names: Iterable[str], there: Mapping[str, Owner]) -> list[str]:
        """Those of the named owners that certainly live no more.

        Args:
            names: of owners.
            there: `db.owners.present`, of the transaction that buries them.
        """
        return [name for name in names if self._is_dead(name, there) is True]

    def silent(self, names: Iterable[str], there: Mapping[str, Owner]) -> list[str]:
        """Those of the named owners whose hearts stood still while this one's went on.

        They are dead, or were stopped: a stopped process still has its lock.

        Args:
            names: of owners.
            there: as for `dead`.
        """
        return [name for name in names if name in there and self._is_silent(name, there[name])]

    def wait_until_known(self, names: Iterable[str]) -> None:
        """Listen until it is known of each of these whether it lives: some 15 seconds at most."""
        wanted = list(names)
        while True:
            there = transact(reader(self._engine), owners.present)
            if all(self._is_dead(name, there) is not None for name in wanted):
                return
            self._stop.wait(_LOOK_SECONDS)

    def abandoned(self) -> set[str]:
        """Names whose lock files lie about."""
        return {path.stem for path in self._folder.glob("*" + _SUFFIX)}

    def remove_lock(self, name: str) -> None:
        """Remove a dead owner's lock file, after its jobs and temporary files were cleared away."""
        path = self._folder / (name + _SUFFIX)
        try:
            with path.open("rb") as file:
                # Under the lock: a process that has just made this file must not lose it.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except (FileNotFoundError, BlockingIOError):
            pass

    def _is_dead(self, name: str, there: Mapping[str, Owner]) -> bool | None:
        """None: not known yet."""
        if _is_locked(self._folder / (name + _SUFFIX)):
            return False
        owner = there.get(name)
        # A process enters before it holds anything, and enters again if it was buried alive.
        if owner is None or owner.place == self._owner.place:
            return True
        if self._is_silent(name, owner):
            return True
        beats, _, has_beaten = self._heard.get(name, (owner.beats, 0, False))
        return False if has_beaten or owner.beats != beats else None

    def _is_silent(self, name: str, owner: Owner) -> bool:
        beats, since, _ = self._heard.get(name, (owner.beats, self._own_beats, False))
        return owner.beats == beats and self._own_beats - since >= SILENT_BEATS

    def leave(self, name: str) -> None:
        """Forget a process that was seen to die."""
        transact(self._engine, lambda connection: owners.leave(connection, name))
        self.remove_lock(name)


def give_up_for_the_dead(engine: Engine, presence: Presence) -> tuple[int, list[str]]:
    """Give back what killed processes held, and forget that they were there.

    Returns:
        The number of jobs given back, and the names of the dead; their files are still there.
    """

    def give_up(connection: Connection) -> tuple[int, list[str]]:
        there, holders = owners.present(connection), queue.owners(connection)
        dead = presence.dead({*there, *holders, *presence.abandoned()}, there)
        released = sum(queue.lost(connection, name) for name in dead)
        # Whoever beats works, whatever some clock says of its lease.
        silent = presence.silent(holders, there)
        released += queue.reap_expired(connection, of=silent)
        for name in dead:
            owners.leave(connection, name)
        return released, dead

    return transact(engine, give_up)


def _beat(presence: "weakref.ref[Presence]", stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        alive = presence()
        if alive is None:
            return
        try:
            alive.beat()
        except (SQLAlchemyError, OSError):
            # A full disk or a busy database: whoever works with it tells. The heart goes on.
            continue
        finally:
            del alive


def _locked(path: Path) -> IO[bytes]:
    """Make and lock a file, again if somebody took it for a leftover before it was locked."""
    while True:
        file = path.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()


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


def _place(folder: Path) -> str:
    """Equal for two processes only if each sees the other's lock on a file of the folder."""
    try:
        kernel = _BOOT_ID.read_text().strip()
    except OSError:
        kernel = socket.gethostname()  # macOS: no containers share its kernel
    found = folder.stat()
    return f"{kernel} {found.st_dev} {found.st_ino}"


def _command() -> str:
    name, *options = sys.argv or [""]
    text = shlex.join([Path(name).name, *options])
    return text.encode("utf-8", "backslashreplace").decode()[:_COMMAND_CHARACTERS]
