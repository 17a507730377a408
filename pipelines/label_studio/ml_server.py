"""An ML backend as Label Studio's server talks to it: HTTP on this machine, behind a password.

`label-studio-ml`, the official package, brings Flask, Redis and a pinned older SDK, and what it
knows is five paths. They are here: `health`, `setup`, `predict`, `webhook` and `versions`.
"""

import hmac
import sys
import threading
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from pipelines.label_studio.interaction import UnansweredError
from pipelines.workspace.errors import PipelineError, ServerStartError
from sinet.json_text import from_json, to_json

USER: Final = "dataengine"
NAME: Final = "clicks"
"""The backend's, and the version of its predictions."""

MAX_BYTES: Final = 1 << 26
_SECONDS: Final = 30.0


@contextmanager
def ml_server(
    answer: Callable[[Any], dict[str, Any]],
    *,
    address: str,
    port: int,
    password: str,
    names: Sequence[str] = (),
) -> Iterator[None]:
    """Answer until the end of the block.

    Args:
        answer: from a request to predict to what is answered, both JSON.
        address: to listen on.
        port: to listen on.
        password: whoever asks has to know it.
        names: hosts, with their ports, that it is asked by, beside the address.

    Raises:
        ServerStartError: it cannot listen there.
    """
    hosts = {f"{address}:{port}", *names}
    if address == "127.0.0.1":
        hosts.add(f"localhost:{port}")
    expected = f"{USER}:{password}".encode()

    class Bound(_Handler):
        """Knows who may ask what."""

    Bound.hosts, Bound.expected, Bound.answer = hosts, expected, staticmethod(answer)
    try:
        server = _Server((address, port), Bound)
    except OSError as error:
        raise ServerStartError(
            f"{address}:{port} cannot be listened on ({error.strerror}): give another --port"
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Does not mind whoever hangs up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless the connection did."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _RefusedError(Exception):
    """A request that is not answered: status and one line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """One request; says nothing of it anywhere, since bodies hold an access token."""

    hosts: set[str]
    expected: bytes
    answer: Callable[[Any], dict[str, Any]]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "dataengine", ""
    timeout = _SECONDS

    def do_GET(self) -> None:
        """Answer `health` and `versions`."""
        self._respond({
            "/health": lambda: {"status": "UP", "model_class": NAME},
            "/versions": lambda: {"versions": [NAME]},
        })  # fmt: skip

    def do_POST(self) -> None:
        """Answer `setup`, `predict` and `webhook`."""
        self._respond({
            "/setup": lambda: {"model_version": NAME},
            "/predict": lambda: self.answer(self._body()),
            "/webhook": dict,
        })  # fmt: skip

    def _respond(self, paths: dict[str, Callable[[], dict[str, Any]]]) -> None:
        try:
            self._check()
            path = self.path.partition("?")[0]
            if path not in paths:
                raise _RefusedError(404, "nothing is there")
            self._send(200, paths[path]())
        except _RefusedError as refused:
            self._send(refused.status, {"error": str(refused)})
        except UnansweredError as error:
            self._send(400, {"error": str(error)})
        except PipelineError as error:
            self._send(500, {"error": str(error)})
        except TimeoutError:
            self.close_connection = True

    def _check(self) -> None:
        """Refuse whoever asks by another name (a page that rebinds its own), or has no password."""
        if self.headers.get("Host") not in self.hosts:
            raise _RefusedError(400, "asked by another name than its own")
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        try:
            said = b64decode(given, validate=True) if kind.lower() == "basic" else b""
        except (Base64Error, ValueError):
            said = b""
        if not hmac.compare_digest(said, self.expected):
            raise _RefusedError(401, "user or password is wrong")

    def _body(self) -> Any:
        """The JSON that came.

        Raises:
            _RefusedError: too much, or no JSON.
        """
        given = self.headers.get("Content-Length", "")
        if not given.isascii() or not given.isdigit():
            raise _RefusedError(411, "how long is it?")
        if int(given) > MAX_BYTES:
            raise _RefusedError(413, f"more than {MAX_BYTES} bytes")
        try:
            return from_json(self.rfile.read(int(given)).decode())
        except (ValueError, RecursionError):
            raise _RefusedError(400, "this is no JSON") from None

    def _send(self, status: int, document: dict[str, Any]) -> None:
        data = to_json(document).encode()
        # What was not read of a body would be taken for the next request.
        self.close_connection = True
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", f'Basic realm="{NAME}"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
