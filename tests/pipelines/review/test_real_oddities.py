"""Odd things in a real Label Studio: what it stores of them, and that nothing else is lost."""

import json
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from db import reader
from pipelines.label_studio import server as servers
from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.review.pull import pull_answers
from pipelines.review.status import review_counts
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.label_studio import RealServer, start_server
from tests.pipelines.label_studio.odd_server import Answer, Asked, odd_server
from tests.pipelines.label_studio.test_foreign import ACCEPT, ODD
from tests.pipelines.review.conftest import push_real, requests
from tests.pipelines.review.test_browser import LOADED
from tests.pipelines.review.test_real_server import choice, shown
from tests.pipelines.review.test_real_server import client as client

PREFIX = "/label-studio"


def submit_anything(server: RealServer, task_id: int, body: bytes) -> int:
    """Post an annotation past the SDK; the status code."""
    request = urllib.request.Request(
        f"{server.url}/api/tasks/{task_id}/annotations/",
        body,
        {"Authorization": f"Token {server.token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def test_odd_answers_are_listed_and_the_others_come(
    served: Workspace, server: RealServer, real: LabelStudioGateway, client: Any
) -> None:
    push_real(served, real)
    odd, unlistable, good = requests(served)
    stored = []
    more = {
        "deeply nested": {**ACCEPT, "meta": json.loads("[" * 400 + "]" * 400)},
        "text for a region": "region",
    }
    for name, result in {**{name: each for name, (each, _) in ODD.items()}, **more}.items():
        body = json.dumps({"result": [result], "lead_time": 1}).encode()
        # Half a character is stored, and then the server cannot write it into any answer.
        task_id = (unlistable if name.startswith("half a") else odd).task_id
        if submit_anything(server, task_id, body) == 201:
            stored.append(name)
    assert set(stored) >= {
        "a brush without sizes", "null choices", "text for choices", "a number for a comment",
        "a number of bytes",
    }  # fmt: skip
    mask = shown(client, good.task_id)
    client.annotations.create(good.task_id, result=[choice("decision", "accept"), *mask])
    result = pull_answers(served, gateway=real)
    assert result.decisions == {"accept": 1}
    problems = dict(each.split(": ", 1) for each in result.problems)
    assert set(problems) == {f"portrait {each.portrait_id}" for each in (odd, unlistable)}
    said = problems[f"portrait {odd.portrait_id}"]
    assert said.count("annotation ") >= len(stored) - 1
    assert "fails (500)" in problems[f"portrait {unlistable.portrait_id}"]
    with reader(served.engine).begin() as connection:
        assert sorted(review_counts(connection).problems) == sorted(result.problems)
    assert pull_answers(served, gateway=real).problems == [], "said once"


def test_a_project_that_is_not_ours(
    served: Workspace, real: LabelStudioGateway, client: Any
) -> None:
    title = served.settings.review.project
    theirs = client.projects.create(title=title, label_config="<View/>")
    with pytest.raises(ReviewError, match=f"projects/{theirs.id} is a project '.*' that this"):
        push_real(served, real)
    assert len(real.find_projects(title)) == 1
    client.projects.delete(theirs.id)
    number = push_real(served, real).project.server_id
    assert "dataengine:" in client.projects.get(number).description
    client.projects.update(number, description="")
    assert push_real(served, real).project.server_id == number
    assert "dataengine:" in client.projects.get(number).description


def test_a_store_that_the_server_does_not_serve_leaves_no_project(
    served: Workspace, real: LabelStudioGateway, tmp_path: Path
) -> None:
    (tmp_path / "portraits").mkdir()
    title = "a store elsewhere"
    review = {"project": title, "store_on_server": str(tmp_path)}
    elsewhere = Workspace(served.paths.root, load_settings(served.paths.root, {"review": review}))
    with pytest.raises(ReviewError, match="LOCAL_FILES_DOCUMENT_ROOT"):
        push_real(elsewhere, real)
    elsewhere.close()
    assert real.find_projects(title) == []


@pytest.fixture(scope="module")
def under_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, RealServer]]:
    """A real server behind a reverse proxy, under a path; the proxy's URL with it."""
    target: list[str] = []

    def forward(asked: Asked) -> Answer:
        if not asked.path.startswith(f"{PREFIX}/"):
            return Answer(404, b"<html>the host's own page</html>")
        return _forwarded(target[0], asked)

    with odd_server(forward) as proxy, pytest.MonkeyPatch.context() as patch:
        original = servers._program

        def program(*arguments: Any) -> Any:
            found = original(*arguments)
            host = {"LABEL_STUDIO_HOST": proxy.url + PREFIX}
            return replace(found, environment={**found.environment, **host})

        patch.setattr(servers, "_program", program)
        started = start_server(tmp_path_factory.mktemp("under-a-path"))
        target.append(started.url)
        try:
            yield proxy.url + PREFIX, started
        finally:
            started.stop()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _forwarded(target: str, asked: Asked) -> Answer:
    """As nginx does: without the prefix, the host as the browser asked for it."""
    dropped = ("content-length", "connection", "accept-encoding")
    headers = {name: value for name, value in asked.headers.items() if name.lower() not in dropped}
    url = target + asked.path.removeprefix(PREFIX)
    request = urllib.request.Request(url, asked.body or None, headers, method=asked.method)
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        answer = opener.open(request)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date")
        }
        cookies = answer.headers.get_all("Set-Cookie") or []
        assert len(cookies) <= 2
        if len(cookies) == 2:  # one header a name is all that `Answer` has
            del kept["Set-Cookie"]
            kept |= {"Set-Cookie": cookies[0], "set-cookie": cookies[1]}
        return Answer(answer.status, answer.read(), kept)


def test_images_are_seen_under_a_path(
    under_a_path: tuple[str, RealServer],
    ingested: Any,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, started = under_a_path
    root = started.root / "workspace"
    shutil.copytree(ingested.workspace, root)
    monkeypatch.setenv("DATAENGINE_REVIEW__DOCUMENT_ROOT", str(started.root))
    workspace = Workspace(root, load_settings(root))
    gateway = LabelStudioGateway(url, started.token, 60)
    pushed = push_real(workspace, gateway)
    task = requests(workspace)[0].task_id
    workspace.close()
    login = started.server.login
    page = browser.new_page()
    page.set_default_timeout(30_000)
    seen: dict[str, int] = {}
    page.on("response", lambda answer: seen.update({answer.url: answer.status}))
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", login.email)
    page.fill("input[name=password]", login.password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda where: "login" not in where)
    page.goto(f"{url}/projects/{pushed.project.server_id}/data?task={task}")
    page.wait_for_selector(LOADED)
    width = page.evaluate(f"document.querySelector('{LOADED}').naturalWidth")
    page.close()
    images = {where: status for where, status in seen.items() if "local-files" in where}
    assert images
    assert set(images.values()) == {200}
    assert all(where.startswith(f"{url}/data/local-files/") for where in images)
    assert width > 0
