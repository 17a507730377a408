"""HTTP to a Label Studio: quick JSON, and no request that goes elsewhere than it was sent."""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
from pydantic_core import to_json

_FEWEST_REDIRECTS_OF_A_LOOP = 10
MAX_ANSWER_BYTES: Final = 1 << 28
"""Of one answer, unpacked: more than 200 tasks with large masks have."""


class TooLongError(Exception):
    """The server sent an answer without end, or one that unpacks to nearly that."""


class RedirectedError(Exception):
    """The server sent a request of its API elsewhere; it was not followed.

    Attributes:
        final: the address that a plain GET, without our token, ends at.
    """

    def __init__(self, final: str) -> None:
        super().__init__(f"redirected to {final}")
        self.final = final


class ApiClient(httpx.Client):
    """`httpx.Client` with quick JSON (a batch of masks is more than a million numbers).

    A redirect is never followed: not for writing, which would be done elsewhere or turned into
    reading, and not for reading, which would go without our token and look like a wrong one.
    """

    def build_request(self, *arguments: Any, **options: Any) -> httpx.Request:
        """See `httpx.Client.build_request`."""
        body = options.pop("json", None)
        if body is None:
            return super().build_request(*arguments, **options)
        headers = httpx.Headers(options.pop("headers", None))
        headers["Content-Type"] = "application/json"
        options |= {"content": to_json(body), "headers": headers}
        return super().build_request(*arguments, **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See `httpx.Client.send`.

        Raises:
            RedirectedError: with the final address.
            TooLongError: the answer has more bytes than `MAX_ANSWER_BYTES`.
        """
        is_streamed = options.pop("stream", False)
        answer = super().send(request, **{**options, "follow_redirects": False, "stream": True})
        if answer.has_redirect_location:
            answer.close()
            raise RedirectedError(self._base_behind(answer))
        return answer if is_streamed else _read(answer)

    def status_of(self, url: str, headers: dict[str, str]) -> int:
        """Status code of a GET as a browser makes it, redirects (to a storage) followed."""
        request = super().build_request("GET", url, headers=headers)
        with_redirects = super().send(request, follow_redirects=True, stream=True)
        with_redirects.close()
        return with_redirects.status_code

    def _base_behind(self, answer: httpx.Response) -> str:
        """Where the server seems to be: the end of the redirects, less what was asked for."""
        asked = answer.request.url
        target = asked.join(answer.headers["Location"])
        for _ in range(_FEWEST_REDIRECTS_OF_A_LOOP):
            try:
                plain = super().build_request("GET", target)
                next_answer = super().send(plain, follow_redirects=False, stream=True)
                next_answer.close()
            except httpx.HTTPError:
                break
            if not next_answer.has_redirect_location:
                break
            target = target.join(next_answer.headers["Location"])
        path = target.path
        for end in (asked.path, asked.path.rstrip("/"), *_api_paths(asked.path)):
            path = path.removesuffix(end)
        base = urlsplit(str(target))
        return urlunsplit((base.scheme, base.netloc, path.rstrip("/"), "", ""))


def _read(answer: httpx.Response) -> httpx.Response:
    """All of an answer, within bounds."""
    parts, length = [], 0
    try:
        for part in answer.iter_bytes():
            length += len(part)
            if length > MAX_ANSWER_BYTES:
                raise TooLongError(f"more than {MAX_ANSWER_BYTES:,} bytes")
            parts.append(part)
    finally:
        answer.close()
    # It is unpacked by now.
    gone = ("content-encoding", "content-length", "transfer-encoding")
    headers = [each for each in answer.headers.multi_items() if each[0].lower() not in gone]
    return httpx.Response(
        answer.status_code, headers=headers, content=b"".join(parts), request=answer.request
    )


def _api_paths(path: str) -> list[str]:
    """Ends of a path from `/api/` on: what stays when a server moves under another path."""
    at = path.find("/api/")
    return [path[at:], path[at:].rstrip("/")] if at >= 0 else []


def make_client(url: str, timeout_seconds: float) -> ApiClient:
    """A client for one server.

    Args:
        url: of the server; no proxy of the environment is used for one on this machine.
        timeout_seconds: for one request.
    """
    is_local = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    return ApiClient(
        timeout=timeout_seconds,
        trust_env=not is_local,
        # SSL_CERT_FILE holds for a server on this machine, too.
        verify=httpx.create_ssl_context(trust_env=True),
    )
