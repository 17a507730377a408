"""The backend of a workspace: where it listens, and which projects it is connected to."""

import time
import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pytest

from dataengine.console.review.status import print_review
from pipelines.label_studio.fake import FakeGateway, Fault
from pipelines.label_studio.gateway import Backend, Brush
from pipelines.label_studio.rle import encode_mask
from pipelines.review.clicking import click_backend, connect_projects, kept_connected
from pipelines.review.pull import pull_answers
from pipelines.review.status import review_status
from pipelines.workspace.errors import ServerStartError
from pipelines.workspace.workspace import Workspace
from sinet.clicks.click import Click
from tests.pipelines.review.conftest import Ask, requests, reviews

BACKEND = Backend("http://127.0.0.1:9090", "dataengine", "secret")


def test_a_project_of_ours_is_connected_once(
    workspace: Workspace, ask: Ask, gateway: FakeGateway
) -> None:
    known: set[int] = set()
    assert connect_projects(workspace, gateway, BACKEND, known) == []
    ask()
    assert connect_projects(workspace, gateway, BACKEND, known) == ["portraits"]
    assert connect_projects(workspace, gateway, BACKEND, known) == []
    assert list(gateway.backends.values()) == [BACKEND]


def test_a_project_of_others_is_left_alone(
    workspace: Workspace, ask: Ask, gateway: FakeGateway
) -> None:
    ask()
    for number in gateway.projects:
        gateway.describe_project(number, "somebody else's by now")
    assert connect_projects(workspace, gateway, BACKEND, set()) == []
    assert gateway.backends == {}


def test_a_project_is_connected_when_it_comes_and_trouble_is_told_once(
    workspace: Workspace, ask: Ask, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.review.clicking._LOOK_SECONDS", 0.02)
    told: list[str] = []
    gateway.fail("connect_backend", *[Fault.UNREACHABLE] * 3)
    with kept_connected(workspace, lambda: gateway, BACKEND, told.append):
        ask()
        for _ in range(500):
            if gateway.backends:
                break
            time.sleep(0.02)
    assert gateway.backends
    assert told[-1] == "Clicks are answered in 'portraits'."
    assert [each for each in told if each.startswith("warning")] == told[:1]


def test_the_backend_answers_and_its_password_is_in_no_message(workspace: Workspace) -> None:
    with click_backend(workspace) as backend:
        assert backend.password not in repr(backend)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{backend.url}/health")
        with click_backend(workspace) as another:
            assert another.url != backend.url
            assert another.password != backend.password


@pytest.mark.parametrize("url", ["ftp://h:1", "h:9090", "http://", "javascript:alert(1)"])
def test_an_address_that_label_studio_cannot_reach(workspace: Workspace, url: str) -> None:
    with (
        pytest.raises(ServerStartError, match="http://HOST:PORT"),
        click_backend(workspace, url=url),
    ):
        pass
    with (
        pytest.raises(ServerStartError, match="--url"),
        click_backend(workspace, address="0.0.0.0"),
    ):
        pass


def test_status_tells_clicks_once_a_fix_was_made_by_any(
    workspace: Workspace, ask: Ask, gateway: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    ask()
    three = [Click(x=0.5, y=0.25, positive=True)] * 3
    for question, marks in zip(requests(workspace), ([], three), strict=False):
        task = gateway.tasks[question.task_id]
        whole = np.ones((task.mask.height, task.mask.width), np.bool_)
        drawn = Brush(encode_mask(whole), task.mask.width, task.mask.height)
        gateway.answer(question.task_id, "fix", regions=[drawn])
        task.annotations[-1] = replace(task.annotations[-1], marks=marks)
        assert pull_answers(workspace, gateway=gateway).problems == []
        print_review(review_status(workspace), as_json=False)
        assert ("clicks a fix" in capsys.readouterr().out) == bool(marks)
    kept = [review.marks for review in reviews(workspace)]
    assert kept == [None, [{"x": 0.5, "y": 0.25, "positive": True}] * 3]
    (counts,) = review_status(workspace).reviewers.values()
    assert counts.marks_a_fix == 3
