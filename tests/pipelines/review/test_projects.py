"""A project is known by our mark: another server, another workspace, another URL change nothing."""

import secrets
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import RequestState, ReviewProject
from pipelines.label_studio.errors import ProjectChangedError, ReviewError, TooLargeError
from pipelines.label_studio.fake import FakeGateway, Fault
from pipelines.review.pull import pull_answers
from pipelines.review.removals import delete_forgotten
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl
from tests.pipelines.review.conftest import Ask, push_all, requests, reviews

URL = "http://fake"


def rows(workspace: Workspace) -> list[sa.Row[tuple[str, int | None, str]]]:
    query = sa.select(
        ReviewProject.url, ReviewProject.server_project_id, ReviewProject.nonce
    ).order_by(ReviewProject.id)
    with workspace.engine.begin() as connection:
        return list(connection.execute(query))


def another_server(gateway: FakeGateway, url: str = URL) -> FakeGateway:
    """A server with a project of the same number and title, and later tasks of somebody else."""
    other = FakeGateway(url, began=gateway.tasks[min(gateway.tasks)].updated_at)
    (number,) = gateway.projects
    other.projects[number] = replace(gateway.projects[number], description="Cats and dogs")
    task = gateway.tasks[min(gateway.tasks)]
    later = task.updated_at + timedelta(days=1000)
    other.tasks[1] = replace(task, id=1, key="theirs", updated_at=later, annotations=[])
    return other


def test_another_server_at_the_same_url_loses_no_answer(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    other = another_server(gateway)
    for request in requests(workspace):
        gateway.answer(request.task_id, "accept")
    result = pull_answers(workspace, gateway=other)
    assert (result.taken, result.gone, result.foreign) == (["portraits"], [], 0)
    with pytest.raises(ProjectChangedError, match="is not the project 'portraits' that"):
        push_all(workspace, other)
    assert set(other.tasks) == {1}
    assert {each.state for each in requests(workspace)} == {RequestState.SENT}
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 3}


def test_tasks_of_others_in_our_project_move_nothing(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    task = gateway.tasks[min(gateway.tasks)]
    later = task.updated_at + timedelta(days=1000)
    gateway.tasks[999] = replace(task, id=999, key="theirs", updated_at=later)
    assert pull_answers(workspace, gateway=gateway).foreign == 1
    gateway.answer(requests(workspace)[0].task_id, "accept")
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}


def test_another_url_of_the_same_server_is_recognised(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    gateway.answer(request.task_id, "accept")
    gateway.url = "https://review.example.org"
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}
    assert [row.url for row in rows(workspace)] == [gateway.url]
    assert ask().project.url == gateway.url
    assert len(gateway.projects) == 1


@pytest.mark.parametrize("description", ["", "Portraits, please be quick"])
def test_a_project_of_the_same_title_is_not_taken(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, description: str
) -> None:
    gateway.create_project("portraits", "<View/>", "", description)
    with pytest.raises(ProjectChangedError, match="that this workspace did not make"):
        ask()
    assert (gateway.tasks, requests(workspace)) == ({}, [])
    assert len(gateway.projects) == 1
    assert ask(project="another").sent == 3


def test_a_workspace_made_anew_beside_old_tasks_says_so(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, ingested: Crawl, tmp_path: Path
) -> None:
    ask()
    root = tmp_path / "anew"
    shutil.copytree(ingested.workspace, root)
    anew = Workspace(root, load_settings(root))
    with pytest.raises(ProjectChangedError, match="or of this one before it was made anew"):
        push_all(anew, gateway)
    assert requests(anew) == []
    assert pull_answers(anew, gateway=gateway).foreign == 0
    anew.close()
    assert len(gateway.tasks) == 3


def test_a_project_whose_making_was_cut_off_is_found(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("create_project", Fault.LOST)
    with pytest.raises(ReviewError, match="504"):
        ask()
    assert pull_answers(workspace, gateway=gateway).gone == []
    assert ask().sent == 3
    assert len(gateway.projects) == len(rows(workspace)) == 1


def test_a_project_that_would_show_no_image_does_not_stay(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.shows_images = False
    with pytest.raises(ReviewError, match="does not hand out"):
        ask()
    assert (gateway.projects, gateway.tasks, requests(workspace)) == ({}, {}, [])
    gateway.shows_images = True
    assert ask().sent == 3


@pytest.mark.parametrize("sent", [True, False])
def test_a_project_of_an_older_version_gets_its_mark(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, sent: bool
) -> None:
    ask(limit=None if sent else 0)
    (number,) = gateway.projects
    gateway.projects[number] = replace(gateway.projects[number], description="Ours, since 2026")
    for request in requests(workspace):
        gateway.answer(request.task_id, "accept")
    assert pull_answers(workspace, gateway=gateway).decisions == ({"accept": 3} if sent else {})
    (row,) = rows(workspace)
    assert gateway.projects[number].description == f"Ours, since 2026\ndataengine:{row.nonce}"


def test_an_old_project_without_tasks_is_not_confused_with_anothers(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask(limit=0)
    (number,) = gateway.projects
    foreign = f"dataengine:{secrets.token_hex(16)}"
    gateway.projects[number] = replace(gateway.projects[number], description=foreign)
    assert pull_answers(workspace, gateway=gateway).taken == ["portraits"]
    assert gateway.projects[number].description == foreign


def test_tasks_of_forgotten_photos_are_deleted_under_another_url(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    from db import TaskRemoval

    ask(limit=1)
    (request,) = requests(workspace)
    with workspace.engine.begin() as connection:
        values = {"project_id": request.project_id, "key": request.key, "task_id": None}
        connection.execute(sa.insert(TaskRemoval).values(values))
    other = another_server(gateway)
    assert delete_forgotten(workspace, other) == 0
    assert set(other.tasks) == {1}
    gateway.url = "https://review.example.org"
    pull_answers(workspace, gateway=gateway)
    assert gateway.tasks == {}


def test_a_batch_that_is_too_large_is_halved_until_it_is_taken(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.most_tasks_a_request = 1
    result = ask()
    assert (result.sent, len(gateway.tasks)) == (3, 3)
    assert {each.state for each in requests(workspace)} == {RequestState.SENT}
    assert gateway.calls["import_tasks"] == 4, "three at once, and from then on one"


def test_a_task_that_is_too_large_alone_is_named(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.most_tasks_a_request = 0
    with pytest.raises(TooLargeError, match=r"the task of portrait \d+: .*413"):
        ask()


def test_what_cannot_be_understood_is_said_and_takes_nothing_back(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    first, second, third = requests(workspace)
    gateway.answer(first.task_id, "accept")
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}
    odd = gateway.tasks[first.task_id]
    gateway.edit(first.task_id, odd.annotations[0].id)
    odd.annotations, odd.problems, odd.is_whole = [], ["annotation 7: its mask is odd"], False
    gateway.tasks[second.task_id].problems = ["its annotations cannot be read"]
    gateway.answer(third.task_id, "reject")
    result = pull_answers(workspace, gateway=gateway)
    assert result.decisions == {"reject": 1}
    assert (result.withdrawn, len(result.problems)) == (0, 2)
    assert any("annotation 7: its mask is odd; see " in problem for problem in result.problems)
    assert {each.request_id for each in reviews(workspace)} == {first.id, third.id}
    states = [each.state for each in requests(workspace)]
    assert states == [RequestState.ANSWERED, RequestState.SENT, RequestState.ANSWERED]
    odd.is_whole = True
    gateway.edit(first.task_id, 0)
    assert pull_answers(workspace, gateway=gateway).withdrawn == 1, (
        "it is another state of the same answer"
    )


def test_a_withdrawn_task_that_somebody_worked_on_is_not_deleted(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    from db import ReviewRequest

    with workspace.engine.begin() as connection:
        connection.execute(sa.update(ReviewRequest).values(state=RequestState.SUPERSEDED))
    gateway.tasks[request.task_id].problems = ["annotation 7: its mask is odd"]
    result = pull_answers(workspace, gateway=gateway)
    assert (result.removed, len(gateway.tasks)) == (0, 1)
    assert len(result.problems) == 1
