"""A Label Studio of one's own: a real server on this machine, for this machine alone.

It lives in an environment of its own (`uv tool run`), because its dependencies are many and old.
Its data folder holds its database, its log, and the login of its first user; nothing of that ever
reaches the workspace.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from pipelines.label_studio.errors import ServerStartError
from pipelines.label_studio.ports import HOST, claim_port
from sinet.json_text import to_json

VERSION = "1.23.2"
"""Of Label Studio: the one that the tests talk to."""

LOGIN_FILE = "login.json"
LOG_FILE = "server.log"

# The very first start installs some 200 MB and migrates a new database.
_START_SECONDS = 900.0
_STOP_SECONDS = 15.0
_LOG_LINES = 5


@dataclass(frozen=True)
class Login:
    """The first user of a local server. A secret: print it to the console and nowhere else."""

    email: str
    password: str
    token: str


@dataclass(frozen=True)
class LocalServer:
    """A running server.

    Attributes:
        url: where it answers, without a slash at the end.
        login: of its first user.
        data_dir: its database, log and login.
        process: leader of its process group.
    """

    url: str
    login: Login
    data_dir: Path
    process: "subprocess.Popen[bytes]"

    def wait(self) -> None:
        """Return when the server has ended by itself.

        Raises:
            ServerStartError: always, since it is not meant to.
        """
        code = self.process.wait()
        raise ServerStartError(_ended(code, self.data_dir))


def default_data_dir(workspace: Path) -> Path:
    """Where the server of a workspace keeps its data: outside of the workspace."""
    path = workspace.absolute()
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return _data_home() / "label-studio" / f"{path.name or 'workspace'}-{digest}"


def _data_home() -> Path:
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "dataengine"


@contextmanager
def local_server(
    data_dir: Path, store: Path | None, port: int | None = None
) -> Iterator[LocalServer]:
    """Start a server, wait until it answers, and stop it at the end of the block.

    Args:
        data_dir: its data; made and filled when it is new.
        store: the only folder whose files it may serve; None: none. What it may read of buckets
            the environment says, which is its own, too.
        port: on the loopback interface; default the first free one from 8080.

    Raises:
        ServerStartError: uv is missing, the port or the data folder is in use, or the server ended
            or kept silent.
    """
    port, claim = claim_port(_data_home() / "ports", port)
    with claim:
        login = _login(data_dir)
        url = f"http://{HOST}:{port}"
        with _locked(data_dir) as lock, (data_dir / LOG_FILE).open("ab") as log:
            process = _started(port, url, login, (data_dir, store), (lock, claim), log)
    try:
        _wait_until_it_answers(process, url, login, data_dir)
        yield LocalServer(url, login, data_dir, process)
    finally:
        _stop(process)


def _started(
    port: int,
    url: str,
    login: Login,
    folders: tuple[Path, Path | None],
    claims: Sequence[IO[bytes]],
    log: IO[bytes],
) -> "subprocess.Popen[bytes]":
    """A Label Studio that begins to start; it holds the claims as long as it lives."""
    return subprocess.Popen(
        [*_uv(), "tool", "run", "--from", f"label-studio=={VERSION}", "label-studio", "start",
         "--no-browser", "--internal-host", HOST, "--port", str(port)],
        env=_environment(*folders, url, login),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        # Even if we are killed.
        pass_fds=[claim.fileno() for claim in claims],
        # Ctrl-C in a terminal is for us; we stop the server in our own way.
        start_new_session=True,
    )  # fmt: skip


def _login(data_dir: Path) -> Login:
    """The login kept in the data folder, or a new one."""
    file = data_dir / LOGIN_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if file.exists():
            return Login(**json.loads(file.read_text()))
        login = Login("reviewer@localhost.local", secrets.token_urlsafe(12), secrets.token_hex(20))
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(to_json(asdict(login)))
    except OSError as error:
        raise ServerStartError(f"{file}: {error.strerror}; choose another --data-dir") from error
    except (ValueError, TypeError) as error:
        raise ServerStartError(
            f"{file}: is not a login of ours; choose another --data-dir"
        ) from error
    return login


def _locked(data_dir: Path) -> IO[bytes]:
    """Take the lock of a data folder, which two servers would damage."""
    file = (data_dir / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ServerStartError(
            f"{data_dir}: a Label Studio runs on this folder already; stop it, or choose another "
            "--data-dir"
        ) from None
    return file


def _environment(data_dir: Path, store: Path | None, url: str, login: Login) -> dict[str, str]:
    """All of Label Studio's settings; what the caller's environment says about it is left out."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LABEL_STUDIO_", "DJANGO_", "PYTHON", "VIRTUAL_ENV"))
    }
    settings = {
        "UV_COMPILE_BYTECODE": "1",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir.absolute()),
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": login.email,
        "LABEL_STUDIO_PASSWORD": login.password,
        "LABEL_STUDIO_USER_TOKEN": login.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    if store is not None:
        settings["LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED"] = "true"
        settings["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] = str(store.absolute())
    return inherited | settings


def _wait_until_it_answers(
    process: "subprocess.Popen[bytes]", url: str, login: Login, data_dir: Path
) -> None:
    """Wait until the server knows its first user: so it is ours, and on our port."""
    request = urllib.request.Request(  # noqa: S310  (our own http URL)
        f"{url}/api/current-user/whoami", headers={"Authorization": f"Token {login.token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            raise ServerStartError(_ended(code, data_dir))
        try:
            with opener.open(request, timeout=10):
                return
        except urllib.error.HTTPError as error:
            raise ServerStartError(
                f"{url} answers {error.code} to the user in {data_dir / LOGIN_FILE}: another "
                "server took the port, or the data folder has another user; choose another "
                "--port or --data-dir"
            ) from error
        except OSError:
            time.sleep(0.25)
    raise ServerStartError(
        f"Label Studio did not answer within {_START_SECONDS:.0f} s; see {data_dir / LOG_FILE}"
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _ended(code: int, data_dir: Path) -> str:
    log = data_dir / LOG_FILE
    lines = log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
    return f"Label Studio ended with code {code}; see {log}, which ends: {' / '.join(lines)}"


def _uv() -> list[str]:
    found = shutil.which("uv")
    if found:
        return [found]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    raise ServerStartError(
        "Label Studio is installed and run by uv, which is missing: python -m pip install uv"
    )
