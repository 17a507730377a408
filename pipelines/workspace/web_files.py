"""Reading from the web, with bounds: of size, time, redirects and of whom is talked to.

Addresses come from strangers' lists. Without `[crawls] private_addresses` no connection is made to
an address that is not of the public internet: whatever a name resolves to, and wherever a redirect
leads, is checked where the connection is made, so that no second answer of a name server can differ
from the one that was checked.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import httpcore

from pipelines.workspace.addresses import without_query
from pipelines.workspace.errors import ItemError
from pipelines.workspace.object_access import Patience, pause
from pipelines.workspace.object_errors import PASSING
from pipelines.workspace.remote import RemoteFile, RemoteFolder, changed, missing
from pipelines.workspace.settings import CrawlSettings

_T = TypeVar("_T")
_REDIRECTS: Final = 5
_PATIENCE: Final = Patience(attempts=3, first_seconds=1.0)
_NAT64: Final = ip_network("64:ff9b::/96")
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


class _PrivateAddressError(Exception):
    """A host that is not on the public internet."""


class _AgainError(Exception):
    """What may go well the next time; its text says what went wrong."""


def is_public(address: str) -> bool:
    """Whether an IP address is of the public internet, whatever form it is written in."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner: IPv4Address | None = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        if ip.teredo is not None:
            inner = ip.teredo[1]
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class _GuardedNetwork(httpcore.NetworkBackend):
    """Connections to public addresses alone."""

    def __init__(self, private_addresses: bool) -> None:
        self._private, self._plain = private_addresses, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"no such host ({error})") from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not self._private and not all(map(is_public, addresses)):
            raise _PrivateAddressError
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                return self._plain.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class WebFiles:
    """`https://` and `http://`."""

    def __init__(self, settings: CrawlSettings) -> None:
        """Nothing is asked yet."""
        self._settings = settings

    @cached_property
    def _pool(self) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=2 * self._settings.threads,
            network_backend=_GuardedNetwork(self._settings.private_addresses),
        )

    def find(self, uri: str) -> RemoteFile | None:
        """See `RemoteFiles`."""

        def look() -> RemoteFile | None:
            for method in ("HEAD", "GET"):
                with self._answer(method, uri) as (status, headers, _):
                    if status in (404, 410):
                        return None
                    if status in (403, 405, 501) and method == "HEAD":
                        continue  # servers that let nobody ask for a head alone
                    self._require_ok(uri, status)
                    return _described(uri, headers)
            return None

        return self._tried(uri, look)

    def folder(self, uri: str) -> RemoteFolder:
        """The web has no folders."""
        return RemoteFolder(files=(), folders=())

    def read(self, uri: str, max_bytes: int) -> bytes:
        """See `RemoteFiles`."""

        def whole() -> bytes:
            with self._answer("GET", uri) as (status, headers, chunks):
                self._require_ok(uri, status)
                return b"".join(_bounded(uri, headers, chunks, max_bytes))

        return self._tried(uri, whole)

    def read_range(self, file: RemoteFile, start: int, size: int) -> bytes:
        """See `RemoteFiles`."""
        asked = {"Range": f"bytes={start}-{start + size - 1}"}
        if file.version and file.version.startswith('"'):
            asked["If-Match"] = file.version

        def part() -> bytes:
            with self._answer("GET", file.uri, asked) as (status, headers, chunks):
                if status in (412, 416):
                    raise changed(file.uri)
                self._require_ok(file.uri, status)
                if status != 206:
                    raise ItemError("unreadable", f"{file.uri!r}: its server sent no part of it")
                data = b"".join(_bounded(file.uri, headers, chunks, size))
            if len(data) != size:
                raise changed(file.uri)
            return data

        return self._tried(file.uri, part)

    def save(self, file: RemoteFile, target: BinaryIO, max_bytes: int) -> None:
        """See `RemoteFiles`."""

        def saved() -> None:
            target.seek(0)
            target.truncate()
            with self._answer("GET", file.uri) as (status, headers, chunks):
                self._require_ok(file.uri, status)
                if file.version is not None and _described(file.uri, headers).version not in (
                    None,
                    file.version,
                ):
                    raise changed(file.uri)
                for chunk in _bounded(file.uri, headers, chunks, max_bytes):
                    target.write(chunk)

        self._tried(file.uri, saved)

    def _tried(self, uri: str, work: Callable[[], _T]) -> _T:
        """Do something again, with a growing pause, if it may go well the next time."""
        for attempt in range(1, _PATIENCE.attempts + 1):
            try:
                return work()
            except _AgainError as error:
                if attempt == _PATIENCE.attempts:
                    raise ItemError(
                        "unreachable", f"{uri!r}: {error}; try again later with --retry-failed"
                    ) from error
                pause(attempt, _PATIENCE)
        raise AssertionError

    @contextmanager
    def _answer(
        self, method: str, uri: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[tuple[int, Mapping[str, str], Iterator[bytes]]]:
        """Status, headers in small letters and content of what an address leads to."""
        response, deadline = self._open(method, uri, headers or {})
        try:
            yield response.status, _headers(response), _timed(response, deadline)
        finally:
            response.close()

    def _open(
        self, method: str, uri: str, headers: Mapping[str, str]
    ) -> tuple[httpcore.Response, float]:
        deadline = time.monotonic() + self._settings.timeout_seconds
        target = uri
        for _ in range(_REDIRECTS + 1):
            response = self._ask(method, target, uri, headers, deadline)
            if response.status not in _MOVED:
                if response.status in PASSING:
                    response.close()
                    raise _AgainError(f"its server is not able to answer now ({response.status})")
                return response, deadline
            response.close()
            target = urljoin(target, _headers(response).get("location", ""))
            if urlsplit(target).scheme not in ("http", "https"):
                raise ItemError("unreadable", f"{uri!r}: leads to something that is not the web")
        raise ItemError("unreadable", f"{uri!r}: leads from address to address without an end")

    def _ask(
        self, method: str, target: str, uri: str, headers: Mapping[str, str], deadline: float
    ) -> httpcore.Response:
        left = max(0.1, deadline - time.monotonic())
        limits = dict.fromkeys(("connect", "read", "write", "pool"), left)
        asked = {
            "Host": urlsplit(target).netloc.rpartition("@")[2],
            "User-Agent": "portrait-dataengine",
            "Accept-Encoding": "identity",
            **headers,
        }
        try:
            request = httpcore.Request(
                method,
                target.partition("#")[0],
                headers=list(asked.items()),
                extensions={"timeout": limits},
            )
            return self._pool.handle_request(request)
        except _PrivateAddressError:
            host = urlsplit(target).hostname or "its host"
            raise ItemError(
                "private_address",
                f"{uri!r}: {host} is no host of the public internet; if it is to be read, set "
                "private_addresses = true under [crawls] in dataengine.toml",
            ) from None
        except (httpcore.TimeoutException, TimeoutError):
            raise _AgainError("no answer in time") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise _AgainError(f"cannot be reached ({_plain(error)})") from error
        except (ValueError, UnicodeError):
            raise ItemError("unreadable", f"{uri!r}: leads to no readable address") from None

    def _require_ok(self, uri: str, status: int) -> None:
        if status in (404, 410):
            raise missing(uri)
        if status in (401, 403, 407):
            raise ItemError("unreadable", f"{uri!r}: its server lets nobody read it ({status}).")
        if not 200 <= status < 300:
            raise ItemError("unreadable", f"{uri!r}: its server answers {status}.")


def _headers(response: httpcore.Response) -> dict[str, str]:
    """By their names in small letters."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }


def _described(uri: str, headers: Mapping[str, str]) -> RemoteFile:
    length = headers.get("content-length", "")
    etag, changed_at = headers.get("etag"), headers.get("last-modified")
    version = etag
    if not etag and changed_at:
        try:
            version = parsedate_to_datetime(changed_at).isoformat()
        except (ValueError, TypeError):
            version = None
    size = int(length) if length.isdecimal() and "content-encoding" not in headers else None
    ranges = headers.get("accept-ranges", "").strip().lower() == "bytes" and size is not None
    return RemoteFile(uri=uri, size=size, version=version, ranges=ranges)


def _bounded(
    uri: str, headers: Mapping[str, str], chunks: Iterator[bytes], max_bytes: int
) -> Iterator[bytes]:
    """What is sent, as long as it is not too much; all of what was announced."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ItemError("unreadable", f"{uri!r}: its server packs what it sends, unasked.")
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(uri, max_bytes)
    got = 0
    for chunk in chunks:
        got += len(chunk)
        if got > max_bytes:
            raise _too_large(uri, max_bytes)
        yield chunk
    if announced.isdecimal() and got != int(announced):
        raise _AgainError(f"the answer ended early ({got:,} of {int(announced):,} bytes)")


def _timed(response: httpcore.Response, deadline: float) -> Iterator[bytes]:
    try:
        for chunk in response.iter_stream():
            if time.monotonic() > deadline:
                raise _AgainError("the answer takes too long")
            yield chunk
    except (httpcore.TimeoutException, TimeoutError):
        raise _AgainError("the answer stopped") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise _AgainError(f"the answer broke off ({_plain(error)})") from error


def _too_large(uri: str, max_bytes: int) -> ItemError:
    return ItemError(
        "too_large",
        f"{uri!r} has more bytes than the limit of {max_bytes:,}: raise the limit or leave it out.",
    )


def _plain(error: Exception) -> str:
    """What a library says, on one line, without an address that it may name."""
    text = " ".join(str(error).split()) or type(error).__name__
    return " ".join(without_query(word) if "://" in word else word for word in text.split())[:200]
