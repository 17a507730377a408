"""Who gets into the gallery: whoever has its token, from its own pages alone."""

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipelines.pages.gallery.gate import Gate

TOKEN = "s3cret"
OWN = {"host": "127.0.0.1:8180"}
KNOWN = {**OWN, "cookie": f"other=1; gallery_8180={TOKEN}"}


class Inner:
    """A program that lets everybody in."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.events: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.events.append((await receive())["type"])
            return
        self.asked.append(scope["path"])
        headers = [(b"access-control-allow-origin", b"*"), (b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"pictures"})


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """To its end, in a thread of its own: Playwright has a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()


def ask(
    headers: dict[str, str], path: str = "/", query: bytes = b"", inner: Inner | None = None
) -> tuple[int, dict[str, str], bytes]:
    gate = Gate(inner or Inner(), TOKEN, 8180, lambda: None)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    raw: Iterable[tuple[bytes, bytes]] = (
        (key.encode(), value.encode("latin-1")) for key, value in headers.items()
    )
    scope = {"type": "http", "path": path, "query_string": query, "headers": list(raw)}
    run(gate(scope, None, send))  # type: ignore[arg-type]
    got = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], got, sent[1]["body"]


def test_the_token_opens_it_once_and_a_cookie_from_then_on() -> None:
    status, headers, _ = ask(OWN, query=f"token={TOKEN}".encode())
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
    status, headers, body = ask({**OWN, "cookie": cookie.partition(";")[0]}, "/api/x")
    assert (status, body) == (200, b"pictures")
    assert "connect-src" not in headers["content-security-policy"]
    assert "default-src 'self'" in headers["content-security-policy"]
    assert not any(name.startswith("access-control-") for name in headers)


@pytest.mark.parametrize(
    ("headers", "path", "query", "status"),
    [
        (OWN, "/", b"", 403),
        (OWN, "/api/images", b"", 403),
        (OWN, "/", b"token=wrong", 403),
        (OWN, "/", b"token=", 403),
        (OWN, "/", b"token=%ff", 403),
        (OWN, "/images", f"token={TOKEN}".encode(), 403),
        ({**OWN, "cookie": f"gallery_8181={TOKEN}"}, "/", b"", 403),
        ({**OWN, "cookie": "gallery_8180="}, "/", b"", 403),
        ({**OWN, "cookie": "gallery_8180=\xe9"}, "/", b"", 403),
        ({**KNOWN, "origin": "https://evil.example"}, "/", b"", 403),
        ({**KNOWN, "origin": "null"}, "/", b"", 403),
        ({**KNOWN, "origin": "http://127.0.0.1:8181"}, "/", b"", 403),
        # A name that somebody points at this machine.
        ({**KNOWN, "host": "evil.example:8180"}, "/", b"", 400),
        ({"cookie": KNOWN["cookie"]}, "/", b"", 400),
        # LightlyStudio would hand out files above its own.
        (KNOWN, "/../../../etc/passwd", b"", 404),
        (KNOWN, "/a/..\\..\\etc/hosts.txt", b"", 404),
        ({**KNOWN, "origin": "http://127.0.0.1:8180"}, "/api", b"", 200),
        ({**KNOWN, "host": "localhost:8180", "origin": "http://localhost:8180"}, "/", b"", 200),
    ],
)
def test_everybody_else_stays_outside(
    headers: dict[str, str], path: str, query: bytes, status: int
) -> None:
    inner = Inner()
    found, _, body = ask(headers, path, query, inner)
    assert found == status
    assert (body == b"pictures", bool(inner.asked)) == (status == 200, status == 200)


def test_the_last_look_comes_before_the_program_ends() -> None:
    inner = Inner()
    gate = Gate(inner, TOKEN, 8180, lambda: inner.events.append("looked"))

    async def receive() -> Any:
        return {"type": "lifespan.shutdown"}

    run(gate({"type": "lifespan"}, receive, None))  # type: ignore[arg-type]
    assert inner.events == ["looked", "lifespan.shutdown"]


def test_a_websocket_is_answered_by_nobody() -> None:
    inner = Inner()
    gate = Gate(inner, TOKEN, 8180, lambda: None)
    run(gate({"type": "websocket", "path": "/"}, None, None))  # type: ignore[arg-type]
    assert inner.asked == []
