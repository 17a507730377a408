"""The ML backend of a workspace: answers clicks, connected to the projects on a server."""

import secrets
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from db import reader
from pipelines.label_studio.gateway import Backend, Gateway
from pipelines.label_studio.ml_server import USER, ml_server
from pipelines.review import ledger
from pipelines.review.mending import Mending
from pipelines.review.projects import is_marked
from pipelines.workspace.errors import PipelineError, ServerStartError
from pipelines.workspace.ports import HOST, claim_port
from pipelines.workspace.user_folders import data_home
from pipelines.workspace.workspace import Workspace

FIRST_PORT: Final = 9090
_LOOK_SECONDS: Final = 3.0


@contextmanager
def click_backend(
    workspace: Workspace, *, address: str = HOST, port: int | None = None, url: str | None = None
) -> Iterator[Backend]:
    """Answer clicks until the end of the block; the password is a new one each time.

    Args:
        workspace: opened; only its questions are answered.
        address: to listen on.
        port: default the first free one from 9090.
        url: as Label Studio's server reaches it; None: by address and port.

    Raises:
        ServerStartError: the port is in use, or Label Studio could not reach this address.
    """
    if url is None and address != HOST:
        raise ServerStartError(
            f"how does Label Studio's server reach {address}? Say it with --url http://HOST:PORT"
        )
    host = "" if url is None else urlsplit(url).netloc
    if url is not None and (urlsplit(url).scheme not in ("http", "https") or not host):
        raise ServerStartError(f"--url {url}: give one as http://HOST:PORT")
    number, claim = claim_port(data_home() / "ports", port, FIRST_PORT)
    with claim:
        backend = Backend(
            url=f"http://{address}:{number}" if url is None else url.rstrip("/"),
            user=USER,
            password=secrets.token_urlsafe(24),
        )
        mending = Mending(workspace)
        # The first click shall not wait for PyTorch.
        threading.Thread(target=mending.warm_up, daemon=True).start()
        with ml_server(
            mending.answer,
            address=address,
            port=number,
            password=backend.password,
            names=[host] if host else [],
        ):
            yield backend


def connect_projects(
    workspace: Workspace, gateway: Gateway, backend: Backend, known: set[int]
) -> list[str]:
    """Connect the backend to the workspace's projects on a server.

    Args:
        workspace: opened.
        gateway: to the server.
        backend: answers.
        known: the server's numbers of projects that are connected; new ones are added.

    Returns:
        Titles of those that were connected now.

    Raises:
        ReviewError: the server cannot be reached, or cannot reach the backend.
    """
    with reader(workspace.engine).begin() as connection:
        projects = ledger.projects(connection)
    connected = []
    for project in projects:
        if project.url != gateway.url or project.server_id in known:
            continue
        on_server = gateway.project(project.server_id)
        if on_server is None or not is_marked(project, on_server):
            continue
        gateway.connect_backend(project.server_id, backend)
        known.add(project.server_id)
        connected.append(project.title)
    return connected


@contextmanager
def kept_connected(
    workspace: Workspace,
    gateway: Callable[[], Gateway],
    backend: Backend,
    say: Callable[[str], None],
    known: Collection[int] = (),
) -> Iterator[None]:
    """Connect each project as soon as it is there, until the end of the block.

    Args:
        workspace: opened.
        gateway: logs in to the server.
        backend: answers.
        say: told of every project, and of what goes wrong, once.
        known: the server's numbers of projects that are connected already.
    """
    ended, connected = threading.Event(), set(known)

    def work() -> None:
        said, server = "", None
        while not ended.wait(_LOOK_SECONDS):
            try:
                server = server or gateway()
                for title in connect_projects(workspace, server, backend, connected):
                    say(f"Clicks are answered in {title!r}.")
                said = ""
            except PipelineError as error:
                if str(error) != said:
                    say(f"warning: {error}")
                said = str(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_LOOK_SECONDS)
