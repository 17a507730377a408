"""Who may see the gallery: whoever has its token, from this machine's browser alone.

LightlyStudio itself asks nobody who they are, and answers every page that asks it. This runs in its
environment (see `studio`), with nothing but the standard library.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY: Final = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' data: blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_CLOSED: Final = "open the address that `dataengine gallery` printed\n"


class Gate:
    """Lets requests with the token through to a program, and ends it in order."""

    def __init__(self, inner: App, token: str, port: int, at_end: Callable[[], None]) -> None:
        """Stand before a program.

        Args:
            inner: the program, by ASGI.
            token: that opens it.
            port: on which it is asked.
            at_end: to be done before the program ends.
        """
        self._inner, self._token, self._at_end = inner, token, at_end
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {None, *(f"http://{host}" for host in self._hosts)}
        # Cookies know no ports: two galleries must not take each other's.
        self._cookie = f"gallery_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the program answer."""
        if scope["type"] == "lifespan":
            await self._inner(scope, self._ending(receive), send)
            return
        if scope["type"] != "http":
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        if headers.get("host") not in self._hosts:
            await _answer(send, 400, _CLOSED)
        elif headers.get("origin") not in self._origins:
            await _answer(send, 403, "another page asked\n")
        elif scope["path"] == "/" and (given := _asked(scope).get("token")):
            await self._welcome(send, given[0])
        elif not self._is_known(headers.get("cookie", "")):
            await _answer(send, 403, _CLOSED)
        elif ".." in scope["path"].replace("\\", "/").split("/"):
            await _answer(send, 404, "nothing is there\n")
        else:
            await self._inner(scope, receive, _with_policy(send))

    def _ending(self, receive: Receive) -> Receive:
        async def received() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                # Before the program closes its database.
                await asyncio.to_thread(self._at_end)
            return message

        return received

    async def _welcome(self, send: Send, given: str) -> None:
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            await _answer(send, 403, _CLOSED)
            return
        cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        more = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
        await _answer(send, 303, "", more)

    def _is_known(self, cookies: str) -> bool:
        try:
            found = SimpleCookie(cookies).get(self._cookie)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self._token.encode())


def _asked(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), errors="replace")


def _with_policy(send: Send) -> Send:
    """Add that the page may ask nobody else for anything."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [
                each
                for each in message.get("headers", [])
                if not each[0].startswith(b"access-control-")
            ]
            more = [
                (b"content-security-policy", _POLICY.encode()),
                (b"referrer-policy", b"no-referrer"),
                (b"x-content-type-options", b"nosniff"),
            ]
            message = {**message, "headers": [*kept, *more]}
        await send(message)

    return sent


async def _answer(
    send: Send, status: int, text: str, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    start = {"type": "http.response.start", "status": status, "headers": [*headers, *(more or [])]}
    await send(start)
    await send({"type": "http.response.body", "body": text.encode()})
