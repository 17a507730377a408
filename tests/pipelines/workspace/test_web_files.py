"""Reading from the web: a real server on the loopback interface, which has to be allowed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest

from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import CrawlSettings
from pipelines.workspace.web_files import WebFiles, is_public

DATA = bytes(range(256)) * 40


class Handler(BaseHTTPRequestHandler):
    """What servers do, by path; each path's requests are counted."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str]]

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append((self.command, path))
        number = sum(each[1] == path for each in self.asked)
        status, headers, body = 200, {"ETag": '"v1"'}, DATA
        if path == "/loop":
            status, headers, body = 302, {"Location": "/loop"}, b""
        elif path == "/moved":
            status, headers, body = 301, {"Location": "/file?X-Signature=abc"}, b""
        elif path == "/inside":
            status, headers, body = 302, {"Location": "http://169.254.169.254/latest"}, b""
        elif path == "/file-scheme":
            status, headers, body = 302, {"Location": "file:///etc/passwd"}, b""
        elif path == "/gone":
            status, body = 404, b""
        elif path == "/mine":
            status, body = 403, b""
        elif path == "/busy-once" and number == 1:
            status, body = 503, b""
        elif path == "/no-head" and self.command == "HEAD":
            status, body = 405, b""
        elif path == "/zipped":
            headers["Content-Encoding"] = "gzip"
        if "Range" in self.headers and path == "/ranges":
            start, end = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            status, body = (206, DATA[start : end + 1])
            if self.headers.get("If-Match") not in (None, '"v1"'):
                status, body = 412, b""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if path == "/ranges":
            self.send_header("Accept-Ranges", "bytes")
        if path == "/endless":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if path == "/cut" or (path == "/cut-once" and number == 1):
            body, self.close_connection = body[:100], True
        try:
            for _ in range(1000 if path == "/endless" else 1):
                self.wfile.write(body)
        except OSError:
            self.close_connection = True

    do_GET = do_HEAD = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    handler = type("Handled", (Handler,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    Handler.asked = handler.asked  # type: ignore[attr-defined]
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def files() -> WebFiles:
    return WebFiles(CrawlSettings(private_addresses=True, timeout_seconds=5))


def reason(files: WebFiles, uri: str, max_bytes: int = 10**6) -> str:
    with pytest.raises(ItemError) as caught:
        files.read(uri, max_bytes)
    assert "\n" not in str(caught.value)
    assert "Signature" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("path", ["/file", "/moved", "/busy-once", "/cut-once", "/no-head"])
def test_what_comes_in_the_end(web: str, files: WebFiles, path: str) -> None:
    assert files.read(web + path, 10**6) == DATA


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/loop", "unreadable"), ("/gone", "missing"), ("/mine", "unreadable"),
        ("/cut", "unreachable"), ("/zipped", "unreadable"), ("/file-scheme", "unreadable"),
    ],
)  # fmt: skip
def test_what_does_not_come(web: str, files: WebFiles, path: str, wanted: str) -> None:
    assert reason(files, web + path) == wanted


def test_no_more_is_read_than_the_limit(web: str, files: WebFiles) -> None:
    assert reason(files, f"{web}/file", len(DATA) - 1) == "too_large"
    assert reason(files, f"{web}/endless", 50_000) == "too_large"


def test_a_file_is_known_without_being_read(web: str, files: WebFiles) -> None:
    found = files.find(f"{web}/ranges")
    assert found is not None
    assert (found.size, found.version, found.ranges) == (len(DATA), '"v1"', True)
    assert files.find(f"{web}/gone") is None
    without = files.find(f"{web}/no-head")
    assert without is not None
    assert without.size == len(DATA)
    assert files.read_range(found, 300, 77) == DATA[300:377]
    out = BytesIO()
    files.save(found, out, len(DATA))
    assert out.getvalue() == DATA


def test_private_addresses_have_to_be_allowed(web: str) -> None:
    guarded = WebFiles(CrawlSettings(timeout_seconds=5))
    port = web.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"):
        assert reason(guarded, f"http://{host}:{port}/file") in ("private_address", "unreachable")
    assert Handler.asked == []


def test_a_redirect_to_a_private_address_is_not_followed(
    web: str, files: WebFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipelines.workspace.web_files as module

    # The server stands for one of the public internet; where it leads to does not.
    monkeypatch.setattr(module, "is_public", lambda ip: ip == "127.0.0.1" or is_public(ip))
    guarded = WebFiles(CrawlSettings(timeout_seconds=5))
    assert guarded.read(f"{web}/file", 10**6) == DATA
    assert reason(guarded, f"{web}/inside") == "private_address"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:0a00:0001::", "ff02::1",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)


def test_what_is_public() -> None:
    assert all(map(is_public, ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"]))
