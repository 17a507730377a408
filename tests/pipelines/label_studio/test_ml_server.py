"""Who may ask the ML backend, and what: as Label Studio's server does, and as others might."""

import base64
import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from pipelines.label_studio.interaction import UnansweredError
from pipelines.label_studio.ml_server import ml_server
from pipelines.workspace.errors import PipelineError, ServerStartError
from tests.ports import free_port

PASSWORD = "a pass word"


def echo(sent: Any) -> dict[str, Any]:
    if sent == "unknown":
        raise UnansweredError("no such question")
    if sent == "broken":
        raise PipelineError("a blob is missing")
    return {"results": [sent]}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = free_port()
    with ml_server(echo, address="127.0.0.1", port=number, password=PASSWORD, names=["ml:9090"]):
        yield number


def basic(user: str = "dataengine", password: str = PASSWORD) -> dict[str, str]:
    said = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {said}"}


def ask(
    port: int, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    given = connection.getresponse()
    text = given.read().decode()
    connection.close()
    return given.status, json.loads(text) if text else None


def test_what_label_studio_asks(port: int) -> None:
    assert ask(port, "GET", "/health", **basic()) == (
        200,
        {"status": "UP", "model_class": "clicks"},
    )
    assert ask(port, "POST", "/setup", "{}", **basic()) == (200, {"model_version": "clicks"})
    assert ask(port, "POST", "/predict", '{"a": 1}', **basic()) == (200, {"results": [{"a": 1}]})
    assert ask(port, "POST", "/webhook", "{}", **basic()) == (200, {})
    assert ask(port, "GET", "/versions", **basic()) == (200, {"versions": ["clicks"]})


@pytest.mark.parametrize("path", ["/health", "/predict", "/setup", "/webhook", "/versions", "/x"])
@pytest.mark.parametrize(
    "headers",
    [
        {}, basic(password="another"), basic(user="admin"), basic(password=""),
        {"Authorization": "Basic ???"}, {"Authorization": "Basic"},
        {"Authorization": f"Bearer {PASSWORD}"}, {"Authorization": "Basic w7w="},
    ],
)  # fmt: skip
def test_nobody_is_answered_without_the_password(
    port: int, path: str, headers: dict[str, str]
) -> None:
    for method in ("GET", "POST"):
        status, said = ask(port, method, path, "{}", **headers)
        assert (status, said) == (401, {"error": "user or password is wrong"})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "", "localhost"])
def test_a_page_that_rebinds_its_name_is_not_answered(port: int, host: str) -> None:
    status, _ = ask(port, "POST", "/predict", "{}", Host=host, **basic())
    assert status == 400


def test_it_is_known_by_the_name_it_was_given(port: int) -> None:
    for host in ("ml:9090", f"localhost:{port}"):
        assert ask(port, "GET", "/health", Host=host, **basic())[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/train", "/../health", "/health/../predict", "/%2e%2e/etc/passwd"]
)
def test_nothing_else_is_there(port: int, path: str) -> None:
    assert ask(port, "GET", path, **basic()) == (404, {"error": "nothing is there"})


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("not json", 400, "this is no JSON"),
        ("[" * 100_000, 400, "this is no JSON"),
        ('"unknown"', 400, "no such question"),
        ('"broken"', 500, "a blob is missing"),
    ],
)
def test_bad_bodies_get_one_line(port: int, body: str, status: int, text: str) -> None:
    assert ask(port, "POST", "/predict", body, **basic()) == (status, {"error": text})


@pytest.mark.parametrize(("length", "status"), [("-1", 411), ("1e3", 411), ("9" * 12, 413)])
def test_a_length_that_is_none_or_too_large(port: int, length: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        lines = [
            "POST /predict HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in basic().items()),
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(100).startswith(f"HTTP/1.1 {status}".encode())


def test_it_says_nothing_on_the_console(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    ask(port, "POST", "/setup", '{"access_token": "secret"}', **basic())
    ask(port, "POST", "/predict", "x")
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use(port: int) -> None:
    with (
        pytest.raises(ServerStartError, match="--port"),
        ml_server(echo, address="127.0.0.1", port=port, password="x"),
    ):
        pass
