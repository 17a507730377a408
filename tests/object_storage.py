"""An S3 server of the test session's own, and a way to it on which things go wrong.

It is moto, in a thread of this process, on a free loopback port; any process of a test reaches it
by the environment. `Road` is a proxy before it: it answers as a server in trouble does.
"""

import atexit
import functools
import http.client
import itertools
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "correct-horse-battery-staple"


class Server:
    """A server that runs; each test has buckets of its own."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        self.port = int(self._moto.get_host_and_port()[1])
        self._numbers = itertools.count()
        atexit.register(self._moto.stop)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @functools.cached_property
    def client(self) -> Any:
        """Another program's client."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="tests",
            aws_secret_access_key=SECRET,
        )

    def environment(self, url: str | None = None) -> dict[str, str]:
        """By which a process reaches it, or the road to it."""
        return {
            "AWS_ENDPOINT_URL": url or self.url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """The name of a fresh bucket, which is emptied and removed in the end."""
        name = f"bucket-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name)
        try:
            yield name
        finally:
            with suppress(self.client.exceptions.NoSuchBucket):
                self.empty(name)
                self.client.delete_bucket(Bucket=name)

    def empty(self, bucket: str) -> None:
        for key in self.objects(bucket):
            self.client.delete_object(Bucket=bucket, Key=key)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All of a bucket, by key, as another program finds it."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return {key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong.

    Attributes:
        method: of requests that it hits; empty: any.
        part: of their path.
        status: answered instead of asking the server; 0: the server is asked.
        code: in the answer's body, as S3 has it.
        body: of the answer, as it is.
        late: the answer is lost after the server did what was asked.
        cut: bytes of the body that are sent, of those that were promised.
        wrong: the body's first byte is another.
        silence: seconds before anything is answered.
        headers: of the answer.
    """

    method: str = ""
    part: str = ""
    status: int = 0
    code: str = ""
    message: str = ""
    body: str = ""
    late: bool = False
    cut: int | None = None
    wrong: bool = False
    silence: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


class Road:
    """A proxy before a server; faults happen in the order they were given, each once.

    Attributes:
        faults: that have not happened yet.
        always: hits every request that no other fault hits.
        asked: methods and paths of all requests.
    """

    def __init__(self, port: int) -> None:
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.asked: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"road": self, "port": port})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """By which a process takes it, whatever else it knows of the server."""
        return {"AWS_ENDPOINT_URL": self.url}

    def translated(self, path: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
        """What is asked, in the server's own words."""
        return path, headers

    def fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.asked.append((method, path))
            for number, each in enumerate(self.faults):
                if each.method in ("", method) and each.part in path:
                    return self.faults.pop(number)
        always = self.always
        hits = always is not None and always.method in ("", method) and always.part in path
        return always if hits else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    road: Road
    port: int

    def answer(self) -> None:
        """One request."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        fault = self.road.fault(self.command, self.path) or Fault()
        if fault.silence:
            time.sleep(fault.silence)
        if fault.status:
            text = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>"
            data = (text if fault.code else fault.body).encode()
            self._send(fault.status, dict(fault.headers), data, fault)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        path, headers = self.road.translated(self.path, dict(self.headers))
        connection.request(self.command, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if fault.late:
            self.close_connection = True
            return
        self._send(answer.status, dict(answer.getheaders()), data, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

    def _send(self, status: int, headers: Mapping[str, str], data: bytes, fault: Fault) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.wrong:
            data = bytes([data[0] ^ 1]) + data[1:]
        if fault.cut is not None:
            data = data[: fault.cut]
            self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@functools.cache
def server() -> Server:
    """The session's server, started when it is first asked for."""
    return Server()


@contextmanager
def road(kind: type[Road] = Road) -> Iterator[Road]:
    """A way to the session's server."""
    made = kind(server().port)
    try:
        yield made
    finally:
        made.close()
