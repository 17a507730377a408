"""A web server that is no Label Studio, or one behind an odd proxy; told what to answer."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WHOAMI = {"id": 1, "email": "ann@example.org", "username": "ann", "first_name": "", "last_name": "",
          "initials": "a", "phone": "", "avatar": None, "active_organization": 1,
          "allow_newsletters": False, "date_joined": "2026-01-01T00:00:00Z"}  # fmt: skip


@dataclass
class Answer:
    """What is answered.

    Attributes:
        status: code.
        body: JSON, or bytes as they are.
        headers: besides length and type.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Asked], Answer]


@dataclass
class OddServer:
    """A running server.

    Attributes:
        url: without a slash at its end.
        asked: every request there was.
    """

    url: str
    asked: list[Asked]


@contextmanager
def odd_server(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[OddServer]:
    """Answer as the script says until the block ends."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
            asked.append(request)
            said = script(request)
            body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            kind = "text/html" if isinstance(said.body, bytes) else "application/json"
            for name, value in {"Content-Type": kind, **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    scheme = "http" if tls is None else "https"
    try:
        yield OddServer(f"{scheme}://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
