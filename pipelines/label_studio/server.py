"""A Label Studio of one's own: a real server on this machine, for this machine alone.

It lives in an environment of its own (`uv tool run`), because its dependencies are many and old.
Its data folder holds its database, its log, and the login of its first user; nothing of that ever
reaches the workspace.
"""

import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.workspace.errors import ServerStartError
from pipelines.workspace.local_servers import (
    LOG_FILE,
    Program,
    claim_data_dir,
    data_dir_of,
    ended,
    start,
    stop,
    wait_until_it_answers,
)
from pipelines.workspace.ports import HOST, claim_port
from pipelines.workspace.user_folders import data_home
from sinet.json_text import to_json

VERSION = "1.23.2"
"""Of Label Studio: the one that the tests talk to."""

ADDON = Path(__file__).parent / "addon"
"""Settings of Label Studio that add our script to its pages."""

LOGIN_FILE = "login.json"
_TITLE = "Label Studio"

# Networks that the server asks nothing of, whatever it is told: those that it leaves out by itself,
# but this machine, where what mends masks by clicks listens (`ml_server`).
_NEVER_ASKED = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::ffff:0:0/96", "::ffff:0:0:0/96",
    "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:20::/28", "2001:db8::/32",
    "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8",
)  # fmt: skip

# The very first start installs some 200 MB and migrates a new database.
_START_SECONDS = 900.0


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
        raise ServerStartError(ended(_TITLE, code, self.data_dir / LOG_FILE))


def default_data_dir(workspace: Path) -> Path:
    """Where the server of a workspace keeps its data: outside of the workspace."""
    return data_dir_of("label-studio", workspace)


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
    port, claim = claim_port(data_home() / "ports", port)
    with claim:
        login = _login(data_dir)
        url = f"http://{HOST}:{port}"
        program = _program(port, url, login, data_dir, store)
        with claim_data_dir(data_dir, _TITLE) as lock, (data_dir / LOG_FILE).open("ab") as log:
            process = start(program, (lock, claim), log)
    try:
        _wait_until_it_answers(process, url, login, data_dir)
        yield LocalServer(url, login, data_dir, process)
    finally:
        stop(process)


def _program(port: int, url: str, login: Login, data_dir: Path, store: Path | None) -> Program:
    """Label Studio; what the caller's environment says about it is left out."""
    files = {} if store is None else {
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(store.absolute()),
    }  # fmt: skip
    return Program(
        title=_TITLE,
        package=f"label-studio=={VERSION}",
        command=(
            "label-studio", "start", "--no-browser", "--internal-host", HOST, "--port", str(port),
        ),
        environment={
            "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir.absolute()),
            "LABEL_STUDIO_HOST": url,
            "LABEL_STUDIO_USERNAME": login.email,
            "LABEL_STUDIO_PASSWORD": login.password,
            "LABEL_STUDIO_USER_TOKEN": login.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "COLLECT_ANALYTICS": "false",
            "LATEST_VERSION_CHECK": "false",
            "LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS": "false",
            "LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS": ",".join(_NEVER_ASKED),
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "DJANGO_SETTINGS_MODULE": "dataengine_addon",
            "PYTHONPATH": str(ADDON),
            **files,
        },
        hidden=("LABEL_STUDIO_", "DJANGO_"),
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


def _wait_until_it_answers(
    process: "subprocess.Popen[bytes]", url: str, login: Login, data_dir: Path
) -> None:
    """Wait until the server knows its first user: so it is ours, and on our port."""
    request = urllib.request.Request(  # noqa: S310  (our own http URL)
        f"{url}/api/current-user/whoami", headers={"Authorization": f"Token {login.token}"}
    )
    log = data_dir / LOG_FILE
    try:
        wait_until_it_answers(
            process, request, _START_SECONDS, lambda code: ended(_TITLE, code, log)
        )
    except urllib.error.HTTPError as error:
        raise ServerStartError(
            f"{url} answers {error.code} to the user in {data_dir / LOGIN_FILE}: another server "
            "took the port, or the data folder has another user; choose another --port or "
            "--data-dir"
        ) from error
    except TimeoutError as error:
        raise ServerStartError(
            f"Label Studio did not answer within {_START_SECONDS:.0f} s; see {log}"
        ) from error
