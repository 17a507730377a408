"""Programs of others that serve somebody on this machine, in environments of their own.

uv installs and runs each (`uv tool run`), because their dependencies are many and not ours. Their
data is outside of the workspace. A server holds two claims as long as it lives, however we end: its
port and its data folder.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pipelines.workspace.errors import ServerStartError
from pipelines.workspace.user_folders import data_home
from sinet.uv import uv_command

LOG_FILE: Final = "server.log"
_STOP_SECONDS: Final = 15.0
_LOG_LINES: Final = 5
_PROGRAMS: Final = ("PYTHON", "VIRTUAL_ENV")


def data_dir_of(program: str, workspace: Path) -> Path:
    """Where a program keeps its data for a workspace: outside of the workspace."""
    path = workspace.absolute()
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return data_home() / program / f"{path.name or 'workspace'}-{digest}"


def claim_data_dir(data_dir: Path, title: str) -> IO[bytes]:
    """Take the lock of a data folder, which two servers would damage.

    Args:
        data_dir: that is there.
        title: of the program, for people.

    Raises:
        ServerStartError: another server runs on it, or it cannot be written to.
    """
    try:
        file = (data_dir / "lock").open("wb")
    except OSError as error:
        raise ServerStartError(
            f"{data_dir}: {error.strerror}; choose another --data-dir"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ServerStartError(
            f"{data_dir}: a {title} runs on this folder already; stop it, or choose another "
            "--data-dir"
        ) from None
    return file


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program to be run.

    Attributes:
        title: as people know it.
        package: with its version, as pip knows it.
        command: what to run in its environment.
        environment: variables for it; of ours it sees none that says what Python is, nor what
            begins with one of `hidden`.
        hidden: beginnings of such names.
        folder: in which it runs; None: ours.
        options: of `uv tool run`.
    """

    title: str
    package: str
    command: Sequence[str]
    environment: Mapping[str, str]
    hidden: tuple[str, ...] = ()
    folder: Path | None = None
    options: Sequence[str] = ()


def start(program: Program, claims: Sequence[IO[bytes]], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program; it holds the claims as long as it lives.

    Args:
        program: what to run.
        claims: open files whose locks it shares.
        log: where all that it says goes.

    Raises:
        ServerStartError: there is no uv.
    """
    hidden = (*_PROGRAMS, *program.hidden)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return subprocess.Popen(
        [
            *_uv(program.title),
            "tool",
            "run",
            *program.options,
            "--from",
            program.package,
            *program.command,
        ],
        env=inherited | {"UV_COMPILE_BYTECODE": "1", **program.environment},
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        # Even if we are killed.
        pass_fds=[claim.fileno() for claim in claims],
        # Ctrl-C in a terminal is for us; we stop the server in our own way.
        start_new_session=True,
    )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a program with all that it started: politely first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def wait_until_it_answers(
    process: "subprocess.Popen[bytes]",
    request: urllib.request.Request,
    seconds: float,
    ended: Callable[[int], str],
) -> None:
    """Wait until a program answers a request.

    Args:
        process: the program.
        request: to ask it, of this machine.
        seconds: to wait at most.
        ended: one line for the code that it ended with instead.

    Raises:
        urllib.error.HTTPError: it answers with an error.
        ServerStartError: it has ended.
        TimeoutError: it keeps silent.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            raise ServerStartError(ended(code))
        try:
            with opener.open(request, timeout=10):
                return
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.25)
    raise TimeoutError


def ended(title: str, code: int, log: Path) -> str:
    """One line about a program that has ended though nobody stopped it."""
    lines = log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
    return f"{title} ended with code {code}; see {log}, which ends: {' / '.join(lines)}"


def _uv(title: str) -> list[str]:
    uv = uv_command()
    if uv is None:
        raise ServerStartError(
            f"{title} is installed and run by uv, which is missing: python -m pip install uv"
        )
    return uv
