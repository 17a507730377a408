"""A PostgreSQL server of the test session's own, from the system's packages.

It listens on a free loopback port, where it asks for a password, and on a socket in its temporary
folder, where it does not. Nothing of it is kept, so nothing is flushed to the disk.
"""

import atexit
import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db import copy_rows, open_engine, reader, schema
from tests.ports import free_port

USER = "dataengine"
PASSWORD = "correct horse"
_TEMPLATE = "dataengine_template"
_START_SECONDS = 60
_HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "timezone": "Asia/Kathmandu",
    "log_statement": "none",
}


class Server:
    """A server that runs; its databases are made from one that has today's tables."""

    def __init__(self, programs: Path, *, flushes: bool = False, connections: int = 60) -> None:
        """Make its files and start it.

        Args:
            programs: folder of PostgreSQL's.
            flushes: to the disk, as those that are to be trusted do.
            connections: that it takes at the same time.
        """
        self._programs = programs
        self._settings = {**_SETTINGS, "max_connections": str(connections)}
        self._settings |= {} if flushes else _HASTY
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="dataengine-pg-"))
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.port = free_port()
        self._numbers = itertools.count()
        self._copied: dict[str, str] = {}
        self._initialise()
        self._process = self.start()
        self._sql("postgres", f"CREATE DATABASE {_TEMPLATE}")
        engine = open_engine(self.url(_TEMPLATE))
        schema.upgrade(engine)
        engine.dispose()

    def url(self, name: str) -> str:
        """Of a database, over the socket, without a password."""
        return f"postgresql://{USER}@/{name}?host={self.folder}&port={self.port}"

    def address(self, name: str, password: str = "") -> str:
        """Of a database, over the network, where a password is asked for."""
        secret = f":{password.replace(' ', '%20')}" if password else ""
        return f"postgresql://{USER}{secret}@127.0.0.1:{self.port}/{name}"

    @contextmanager
    def database(
        self, *, empty: bool = False, encoding: str = "UTF8", template: str = _TEMPLATE
    ) -> Iterator[str]:
        """The name of a fresh database, which is dropped in the end.

        Args:
            empty: without tables.
            encoding: of its text, for an empty one.
            template: what it is a copy of, otherwise.
        """
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        made_of = f"template0 ENCODING '{encoding}' LOCALE 'C'" if empty else template
        self._sql("postgres", f"CREATE DATABASE {name} TEMPLATE {made_of}")
        try:
            yield name
        finally:
            self._sql("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextmanager
    def copy_of(self, file: Path) -> Iterator[str]:
        """The name of a database with the rows of a SQLite file, made once for all copies."""
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest not in self._copied:
            made = f"copied_{next(self._numbers)}"
            self._sql("postgres", f"CREATE DATABASE {made}")
            source, target = open_engine(f"sqlite:///{file}"), open_engine(self.url(made))
            with reader(source).begin() as connection:
                copy_rows(connection, target)
            for engine in (source, target):
                engine.dispose()
            self._copied[digest] = made
        with self.database(template=self._copied[digest]) as name:
            yield name

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data"],
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                cwd=self.folder,
                preexec_fn=_die_with_parent,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(errors="replace"))
            time.sleep(0.02)
        return self._process

    def stop(self) -> None:
        """End it and all connections, as an administrator does."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def remove(self) -> None:
        """End it, and take its folder away."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        subprocess.run(
            [
                self._programs / "initdb",
                *("-D", self.folder / "data", "-U", USER, "--pwfile", secret, "-E", "UTF8"),
                *("--locale", "C.UTF-8", "--auth-local", "trust", "--auth-host", "scram-sha-256"),
                "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
        )
        settings = {
            **self._settings,
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
        }
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(lines)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self._conninfo("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _conninfo(self, name: str) -> str:
        return f"user={USER} dbname={name} host={self.folder} port={self.port}"

    def _sql(self, name: str, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._conninfo(name), autocommit=True) as connection:
            connection.execute(statement)


@functools.cache
def server() -> Server:
    """The session's server, started when it is first asked for."""
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    started = Server(programs)
    atexit.register(started.remove)
    return started


def server_programs() -> Path | None:
    """Debian keeps a server's programs outside of PATH, in a folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def _version(path: Path) -> int:
    with contextlib.suppress(ValueError):
        return int(path.parents[1].name)
    return 0


def _die_with_parent() -> None:
    """On Linux a test session that is killed takes its server along."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT, 0, 0, 0)
