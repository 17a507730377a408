"""Pushers and servers that are killed: afterwards every question has exactly one task."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import RequestState, ReviewRequest
from pipelines.label_studio.errors import AnswerLostError, UnreachableError
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.review.projects import recognise
from pipelines.review.pull import pull_answers
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.label_studio import RealServer
from tests.pipelines.review.conftest import multiply, push_real, requests

BATCH = 5
PUSHER_KILLS = [2, pytest.param(20, marks=pytest.mark.campaign)]
SERVER_KILLS = [1, pytest.param(10, marks=pytest.mark.campaign)]


@dataclass(frozen=True)
class Pushing:
    """A push in a process of its own, which may be killed."""

    process: "multiprocessing.context.ForkProcess"

    def kill(self) -> None:
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()


def push_alone(root: Path, title: str, url: str, token: str) -> None:
    """What the process does; a server that is killed ends it."""
    workspace = Workspace(root, load_settings(root, {"review": {"project": title}}))
    try:
        push_real(workspace, LabelStudioGateway(url, token, 60), batch=BATCH)
    except (AnswerLostError, UnreachableError):
        os._exit(3)
    finally:
        workspace.close()


@pytest.fixture
def start(served: Workspace, server: RealServer) -> Iterator[object]:
    """Start a push; it inherits the loaded SDK, so that it begins at once."""
    context = multiprocessing.get_context("fork")
    started: list[Pushing] = []

    def call() -> Pushing:
        title = served.settings.review.project
        arguments = (served.paths.root, title, server.url, server.token)
        process = context.Process(target=push_alone, args=arguments)
        process.start()
        started.append(Pushing(process))
        return started[-1]

    yield call
    for each in started:
        each.kill()


def sent(workspace: Workspace) -> int:
    query = sa.select(sa.func.count()).where(ReviewRequest.state == RequestState.SENT)
    with workspace.engine.begin() as connection:
        return connection.scalar(query) or 0


def wait_for_more(workspace: Workspace, pushing: Pushing, before: int) -> None:
    """Until the push has sent something, or is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and pushing.process.is_alive():
        if sent(workspace) > before:
            return
        time.sleep(0.02)


def enough_for(kills: int) -> int:
    """Portraits that are not all sent before the last kill."""
    return max(60, 20 * kills)


def require_exactly_once(workspace: Workspace, real: LabelStudioGateway, number: int) -> None:
    """Every portrait has one request, every request one task with its mask; nothing else."""
    asked = requests(workspace)
    assert len(asked) == len({each.portrait_id for each in asked}) == number
    assert {each.state for each in asked} == {RequestState.SENT}
    project = recognise(workspace, real).ours[0].project.server_id
    # Takes back what a dead pusher's last request brought late.
    pull_answers(workspace, gateway=real)
    found = [
        task
        for start in range(0, number, 50)
        for task in real.find_tasks(project, [each.key for each in asked[start : start + 50]])
    ]
    assert set(Counter(task.key for task in found).values()) == {1}
    assert {task.key: task.id for task in found} == {each.key: each.task_id for each in asked}
    assert all(task.has_mask for task in found)
    assert real.task_ids(project) == {task.id for task in found}


@pytest.mark.parametrize("kills", PUSHER_KILLS)
def test_killed_pushers(
    served: Workspace, real: LabelStudioGateway, start: object, kills: int
) -> None:
    multiply(served, enough_for(kills))
    chance = random.Random(7)
    for _ in range(kills):
        before = sent(served)
        pushing = start()  # type: ignore[operator]
        wait_for_more(served, pushing, before)
        time.sleep(chance.uniform(0, 0.2))
        pushing.kill()
    assert 0 < sent(served) < enough_for(kills)
    push_real(served, real, batch=BATCH)
    require_exactly_once(served, real, enough_for(kills))


@pytest.mark.parametrize("kills", SERVER_KILLS)
def test_killed_servers(
    served: Workspace, server: RealServer, real: LabelStudioGateway, start: object, kills: int
) -> None:
    multiply(served, enough_for(kills))
    chance = random.Random(8)
    for _ in range(kills):
        before = sent(served)
        pushing = start()  # type: ignore[operator]
        wait_for_more(served, pushing, before)
        time.sleep(chance.uniform(0, 0.2))
        server.kill()
        pushing.process.join()
        server.start_again()
    push_real(served, real, batch=BATCH)
    require_exactly_once(served, real, enough_for(kills))
