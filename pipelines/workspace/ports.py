"""A port for a server that takes seconds to listen: claimed first, so that no two starts share."""

import fcntl
import socket
from pathlib import Path
from typing import IO

from pipelines.workspace.errors import ServerStartError

HOST = "127.0.0.1"
FIRST_PORT = 8080
_PORTS_TO_TRY = 100


def claim_port(
    folder: Path, wanted: int | None = None, first: int = FIRST_PORT
) -> tuple[int, IO[bytes]]:
    """Find a port that nobody listens on and no other server of ours is about to.

    Args:
        folder: of the claims, one for all servers of a user; made if it is not there.
        wanted: only this port will do; default the first free one.
        first: where to begin to look.

    Returns:
        The port, and its claim: an open file whose lock lasts until every process that has it open
        has ended.

    Raises:
        ServerStartError: the port, or every one of a hundred, is in use, or the folder cannot be
            written to.
    """
    ports = range(first, first + _PORTS_TO_TRY) if wanted is None else [wanted]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for port in ports:
            claim = (folder / str(port)).open("wb")
            if _is_locked(claim) and is_free(port):
                return port, claim
            claim.close()
    except OSError as error:
        raise ServerStartError(f"{folder}: cannot be written to ({error.strerror})") from error
    if wanted is not None:
        raise ServerStartError(
            f"port {wanted} is in use: stop what uses it, or give another --port"
        )
    raise ServerStartError(f"ports {ports[0]} to {ports[-1]} are all in use: give a --port")


def is_free(port: int) -> bool:
    """Whether nobody listens there; Label Studio itself would silently take another port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _is_locked(claim: IO[bytes]) -> bool:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
