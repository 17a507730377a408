"""Odd servers and odd tokens: one clear line, no token in it, nothing done elsewhere."""

import gzip
import json
import ssl
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from dataengine.console.shared.text import printable
from pipelines.label_studio import http
from pipelines.label_studio.connecting import connect
from pipelines.label_studio.errors import (
    AnswerLostError,
    NotAllowedError,
    ReviewError,
    TooLargeError,
    UnreachableError,
)
from pipelines.label_studio.gateway import Brush, NewTask
from pipelines.label_studio.refusals import detail
from pipelines.label_studio.screen import labeling_config
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.label_studio.token import clean_token, redacted
from pipelines.workspace.workspace import Workspace
from tests.pipelines.label_studio.odd_server import WHOAMI, Answer, Asked, Script, odd_server

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PAGE = b"<!DOCTYPE html><html><head><title>502 Bad\nGateway</title></head><body>x</body></html>"
TASK = NewTask("k", "/data/x.jpg", Brush([0], 4, 3))
PROJECT = {"id": 1, "title": "portraits", "label_config": labeling_config(), "description": ""}


def usual(asked: Asked) -> Answer | None:
    """What a Label Studio answers before the test's own part."""
    if "whoami" in asked.path:
        return Answer(body=WHOAMI)
    if asked.method == "GET" and asked.path.startswith("/api/projects/1"):
        return Answer(body=PROJECT)
    return None


def after_login(answer: Answer) -> Script:
    return lambda asked: usual(asked) or answer


def everything_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("around", ["{}\r", "\n{}", " {}\t", "{}\r\n"])
def test_a_token_is_taken_without_what_was_copied_with_it(around: str) -> None:
    assert clean_token(around.format(TOKEN), "KEY") == TOKEN


@pytest.mark.parametrize(
    "token", ["", " \r\n", "abc\rdefghi", "abcdef ghijkl", "abcdefgh\u2019", "abc\0defghi",
              "abcdef\x1b[31m", "ａｂｃｄｅｆ"],
    ids=repr,
)  # fmt: skip
def test_a_token_that_cannot_be_one_is_refused_and_not_shown(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAllowedError, match="LABEL_STUDIO_API_KEY") as caught:
        clean_token(token, "LABEL_STUDIO_API_KEY")
    assert not token.strip() or token.strip() not in everything_said(caught.value)
    if "\0" in token:  # which no environment can hold
        return
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", token)
    with pytest.raises(ReviewError, match="LABEL_STUDIO_API_KEY") as refused:
        connect(cast(Workspace, SimpleNamespace()))
    assert not token.strip() or token.strip() not in everything_said(refused.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
def test_a_server_that_repeats_the_token_does_not_make_us_show_it(status: int) -> None:
    def script(asked: Asked) -> Answer:
        return Answer(status, {"detail": f"you said {asked.headers['Authorization']}"})

    with odd_server(script) as server, pytest.raises(ReviewError) as caught:
        LabelStudioGateway(server.url, TOKEN, 5)
    assert TOKEN not in everything_said(caught.value)
    assert "you said Token …" in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_who_is_sent_elsewhere_is_told_where_and_writes_nothing(status: int) -> None:
    with odd_server(lambda asked: usual(asked) or Answer(body={})) as other:

        def script(asked: Asked) -> Answer:
            return Answer(status, None, {"Location": f"{other.url}/ls{asked.path}"})

        with odd_server(script) as server, pytest.raises(ReviewError) as caught:
            LabelStudioGateway(server.url, TOKEN, 5)
        assert f"sends its callers to {other.url}/ls; nothing was written" in str(caught.value)
        assert {each.method for each in other.asked} == {"GET"}
        assert all("Authorization" not in each.headers for each in other.asked)


@pytest.mark.parametrize("status", [301, 307])
def test_writing_is_not_redirected(status: int) -> None:
    with odd_server(lambda asked: Answer(body={"task_ids": [1]})) as other:
        moved = Answer(status, None, {"Location": f"{other.url}/api/projects/1/import"})
        with odd_server(after_login(moved)) as server:
            gateway = LabelStudioGateway(server.url, TOKEN, 5)
            with pytest.raises(ReviewError, match=f"callers to {other.url}; nothing"):
                gateway.import_tasks(1, [TASK])
        assert all(each.method == "GET" for each in other.asked)


def test_a_circle_of_redirects_ends() -> None:
    with odd_server(lambda asked: Answer(302, None, {"Location": asked.path + "x"})) as server:
        with pytest.raises(ReviewError, match="sends its callers to"):
            LabelStudioGateway(server.url, TOKEN, 5)
        assert len(server.asked) < 20


def test_what_is_wrong_with_which_field_is_said() -> None:
    body = {
        "detail": "Validation error",
        "validation_errors": {
            "title": ["Ensure this field has at least 3 characters."],
            "non_field_errors": "is not under LOCAL_FILES_DOCUMENT_ROOT",
        },
    }
    with odd_server(after_login(Answer(400, body))) as server:
        gateway = LabelStudioGateway(server.url, TOKEN, 5)
        with pytest.raises(ReviewError) as caught:
            gateway.create_project("ab", labeling_config(), "", "")
    assert "title: Ensure this field has at least 3 characters.; is not under" in str(caught.value)


@pytest.mark.parametrize("status", [400, 404, 413, 502])
def test_a_page_of_html_is_told_by_its_title(status: int) -> None:
    with odd_server(after_login(Answer(status, PAGE))) as server:
        gateway = LabelStudioGateway(server.url, TOKEN, 5)
        kinds = {502: AnswerLostError, 413: TooLargeError}
        with pytest.raises(kinds.get(status, ReviewError)) as caught:
            gateway.import_tasks(1, [TASK])
    assert "a web page, '502 Bad Gateway'" in str(caught.value)
    assert "<" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"detail": "Invalid token."}, "Invalid token."),
        ("Bad\n\tGateway", "Bad Gateway"),
        ({"other": 1}, "{'other': 1}"),
        ("<html>no title</html>", "a web page"),
        ({"detail": "<p>see <b>here</b>"}, "a web page"),
        ({"validation_errors": ["x"]}, "{'validation_errors': ['x']}"),
        (None, "None"),
        ("a" * 1000, "a" * 300),
    ],
)
def test_a_refusal_is_one_line(body: Any, text: str) -> None:
    assert detail(body) == text


@pytest.mark.parametrize(
    "body", [b"<html>Welcome</html>", b"[" * 100_000, b"", b'{"tasks": 7}', b"[]", b"\xff\xfe"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_label_studio_is_said_to_be_none(body: bytes) -> None:
    with odd_server(lambda _: Answer(200, body)) as server, pytest.raises(ReviewError) as caught:
        LabelStudioGateway(server.url, TOKEN, 5)
    assert server.url in str(caught.value)
    with odd_server(after_login(Answer(200, body))) as server:
        gateway = LabelStudioGateway(server.url, TOKEN, 5)
        with pytest.raises(ReviewError):
            gateway.task_ids(1)


def test_a_task_that_is_nested_too_deeply_is_asked_for_without_its_answers() -> None:
    moment = "2026-05-04T12:00:00Z"
    plain = {"id": 1, "data": {"sample_id": "a"}, "updated_at": moment, "annotations": []}
    deep = json.dumps({**plain, "id": 2, "data": {"sample_id": "b"}})[:-1]
    deep += ', "x": ' + "[" * 99_999 + "]" * 99_999 + "}"
    rows = [json.dumps(plain), deep, json.dumps({**plain, "id": 3, "data": {"sample_id": "c"}})]

    def script(asked: Asked) -> Answer:
        found = usual(asked)
        if found is not None:
            return found
        page, size = _number(asked.path, "page"), _number(asked.path, "page_size")
        chosen = rows[(page - 1) * size : page * size]
        if "fields=task_only" in asked.path:
            chosen = [json.dumps({**plain, "id": 2, "data": {"sample_id": "b"}})]
        return Answer(200, f'{{"tasks": [{", ".join(chosen)}]}}'.encode())

    with odd_server(script) as server:
        found = LabelStudioGateway(server.url, TOKEN, 5).updated_tasks(1, None, 1, 10)
    assert [(each.id, each.key, each.is_whole) for each in found] == [
        (1, "a", True), (2, "b", False), (3, "c", True),
    ]  # fmt: skip
    assert found[1].problems == ("its answers are nested too deeply to be read",)


def _number(path: str, name: str) -> int:
    (value,) = (each.split("=")[1] for each in path.split("&") if each.startswith(f"{name}="))
    return int(value)


def test_a_certificate_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with odd_server(lambda asked: Answer(body=WHOAMI), tls) as server:
        with pytest.raises(UnreachableError, match="SSL_CERT_FILE"):
            LabelStudioGateway(server.url, TOKEN, 5)
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert LabelStudioGateway(server.url, TOKEN, 5).user == WHOAMI["email"]


def test_a_personal_token_is_exchanged_under_a_path() -> None:
    import jwt

    claims = {"exp": 4_000_000_000, "token_type": "refresh"}
    refresh = jwt.encode(claims, "k" * 32)
    access = jwt.encode({**claims, "token_type": "access"}, "k" * 32)

    def script(asked: Asked) -> Answer:
        if asked.path == "/label-studio/api/token/refresh/":
            return Answer(body={"access": access})
        return Answer(body=WHOAMI) if asked.path.startswith("/label-studio/api/") else Answer(404)

    with odd_server(script) as server:
        LabelStudioGateway(f"{server.url}/label-studio/", refresh, 5)


def test_short_words_are_not_taken_for_secrets() -> None:
    assert redacted("a test", "t", TOKEN) == "a test"
    assert redacted(f"a {TOKEN}.", TOKEN) == "a …."
    assert printable(redacted(TOKEN, TOKEN)) == "…"


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_not_read(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as it is sent, nor as it unpacks; and the tasks that are less come through."""
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 100_000)
    task = {"id": 7, "updated_at": "2026-01-01T00:00:00Z", "data": {"sample_id": "k" * 32}}

    def script(asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query)
        number = int(query["page"][0])
        if query["page_size"] != ["1"] or (number == 2 and query["fields"] == ["all"]):
            long = b" " * 200_000
            header = {"Content-Encoding": "gzip"} if packed else {}
            return Answer(200, gzip.compress(long) if packed else long, header)
        return Answer(200, {"tasks": [{**task, "id": number}], "total": 2})

    with odd_server(lambda asked: usual(asked) or script(asked)) as server:
        gateway = LabelStudioGateway(server.url, TOKEN, 5)
        found = gateway.updated_tasks(1, None, 1, 2)
        assert [each.id for each in found] == [1, 2]
        assert [each.problems for each in found] == [
            (), (f"{server.url} answers with more than 100,000 bytes",),
        ]  # fmt: skip
        with pytest.raises(AnswerLostError, match="more than 100,000 bytes"):
            gateway.task_ids(1)
