"""Questions become tasks, each exactly once, whatever happens in between."""

from collections import Counter
from dataclasses import replace

import pytest

from db import MaskSource, Purpose, RequestState, Verdict
from pipelines.label_studio.errors import (
    AnswerLostError,
    NotAllowedError,
    ProjectChangedError,
    ReviewError,
    UnreachableError,
)
from pipelines.label_studio.fake import FakeGateway, Fault
from pipelines.label_studio.gateway import ServedFolder
from pipelines.review.asking import NewQuestion, add
from pipelines.review.pull import pull_answers
from pipelines.review.push import PushRequest, push_questions
from pipelines.workspace.errors import BusyError
from pipelines.workspace.progress import Silent
from pipelines.workspace.workspace import Workspace
from tests.pipelines.review.conftest import Ask, add_revision, contents, masks, requests


def keys(gateway: FakeGateway) -> Counter[str]:
    return Counter(task.key for task in gateway.tasks.values())


def exactly_once(workspace: Workspace, gateway: FakeGateway) -> bool:
    """Every request has one task with a mask, and the ledger knows which."""
    asked = {request.key: request.task_id for request in requests(workspace)}
    there = {task.key: task.id for task in gateway.tasks.values() if task.mask}
    states = {request.state for request in requests(workspace)}
    return asked == there and set(keys(gateway).values()) == {1} and states == {RequestState.SENT}


def test_every_mask_becomes_a_task(workspace: Workspace, gateway: FakeGateway, ask: Ask) -> None:
    result = ask()
    assert (result.new, result.sent, result.left) == (3, 3, 0)
    assert exactly_once(workspace, gateway)
    assert gateway.calls["find_tasks"] == 0, "what was just made up cannot be there"
    ((project_id, source),) = gateway.served
    assert source == ServedFolder(str(workspace.paths.store / "portraits"))
    for request in requests(workspace):
        assert request.project_id == result.project.id
        assert (request.purpose, request.replicate) == (Purpose.REVIEW, 0)
    for task in gateway.tasks.values():
        assert task.project_id == project_id
        assert task.image_url.startswith("/data/local-files/?d=portraits/")


def test_pushing_again_asks_nothing_twice(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    before = contents(workspace)
    again = ask()
    assert (again.new, again.sent, again.found) == (0, 0, 0)
    assert contents(workspace) == before
    assert gateway.calls["create_project"] == 1


def test_a_task_says_nothing_about_its_mask(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    portraits = {request.key: request for request in requests(workspace)}
    for task in gateway.tasks.values():
        assert len(task.key) == 32
        known = {str(portraits[task.key].portrait_id), str(portraits[task.key].mask_id)}
        assert not known & set(task.image_url.replace(".", "/").split("/"))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LATE, Fault.RESET])
def test_a_lost_answer_is_settled_by_looking(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, fault: Fault
) -> None:
    gateway.fail("import_tasks", fault)
    result = ask()
    assert exactly_once(workspace, gateway)
    assert result.sent == 3
    assert gateway.calls["import_tasks"] == (2 if fault == Fault.RESET else 1)


def test_a_server_that_keeps_failing_ends_the_push(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.fail("import_tasks", *[Fault.RESET] * 3)
    with pytest.raises(AnswerLostError):
        ask()
    assert not gateway.tasks
    result = ask()
    assert (result.resumed, result.new, result.sent) == (3, 0, 3)
    assert exactly_once(workspace, gateway)


def test_a_request_done_twice_leaves_one_task(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("import_tasks", Fault.TWICE)
    ask()
    assert set(keys(gateway).values()) == {2}
    result = pull_answers(workspace, gateway=gateway)
    assert result.removed == 3
    assert exactly_once(workspace, gateway)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.UNREACHABLE, UnreachableError), (Fault.UNAUTHORISED, NotAllowedError)],
)
@pytest.mark.parametrize("method", ["find_projects", "create_project", "import_tasks"])
def test_an_interrupted_push_goes_on(
    workspace: Workspace,
    gateway: FakeGateway,
    ask: Ask,
    method: str,
    fault: Fault,
    error: type[Exception],
) -> None:
    gateway.fail(method, fault)
    with pytest.raises(error):
        ask()
    ask()
    assert exactly_once(workspace, gateway)
    assert len(gateway.projects) == 1


def test_a_project_whose_making_was_not_confirmed_is_found_again(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("create_project", Fault.LOST)
    with pytest.raises(AnswerLostError):
        ask()
    ask()
    assert len(gateway.projects) == 1


def test_an_interrupted_push_costs_one_look_up_a_batch(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("import_tasks", Fault.LOST)
    gateway.fail("find_tasks", Fault.UNREACHABLE)  # killed before it could look
    with pytest.raises(UnreachableError):
        ask(batch=2)
    gateway.calls.clear()
    result = ask(batch=2)
    assert (result.resumed, result.found, result.sent) == (3, 2, 1)
    assert gateway.calls["find_tasks"] == 2
    assert exactly_once(workspace, gateway)


def test_what_was_interrupted_is_finished_before_anything_new(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("import_tasks", Fault.UNREACHABLE)
    with pytest.raises(UnreachableError):
        ask(limit=2)
    result = ask(limit=2)
    assert (result.resumed, result.new, result.sent, result.left) == (2, 0, 2, 1)
    assert (ask(limit=2).new, len(gateway.tasks)) == (1, 3)


def test_a_task_without_its_mask_is_replaced(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("import_tasks", Fault.LOST)
    gateway.fail("find_tasks", Fault.UNREACHABLE)
    with pytest.raises(UnreachableError):
        ask()
    bare = min(gateway.tasks)
    gateway.tasks[bare].mask = None
    result = ask()
    assert (result.found, result.sent) == (2, 1)
    assert bare not in gateway.tasks
    assert exactly_once(workspace, gateway)


def test_a_new_revision_supersedes_the_question(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    first = requests(workspace)[0]
    new_mask = add_revision(workspace, first.portrait_id, MaskSource.STUDENT)
    result = ask()
    assert (result.withdrawn, result.new) == (1, 1)
    assert first.task_id not in gateway.tasks
    assert len(gateway.tasks) == 3
    old, *_, new = requests(workspace)
    assert (old.id, old.state) == (first.id, RequestState.SUPERSEDED)
    assert (new.portrait_id, new.mask_id) == (first.portrait_id, new_mask)


def test_an_answer_that_was_not_pulled_is_not_withdrawn(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    first = requests(workspace)[0]
    gateway.answer(first.task_id, "accept")
    add_revision(workspace, first.portrait_id, MaskSource.STUDENT)
    assert ask().withdrawn == 0
    pull_answers(workspace, gateway=gateway)
    assert requests(workspace)[0].state == RequestState.ANSWERED


def test_a_late_task_of_a_withdrawn_question_is_removed(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.lookups_until_late = 10**6
    gateway.fail("import_tasks", Fault.LATE)
    gateway.fail("find_tasks", Fault.UNREACHABLE)
    with pytest.raises(UnreachableError):
        ask(limit=1)
    request = requests(workspace)[0]
    add_revision(workspace, request.portrait_id, MaskSource.IMPORT)
    ask(limit=1)
    gateway.lookups_until_late = 0
    gateway.find_tasks(1, [])
    assert request.key in keys(gateway)
    assert pull_answers(workspace, gateway=gateway).removed == 1
    assert request.key not in keys(gateway)


def test_a_task_deleted_by_hand_is_sent_again(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    del gateway.tasks[min(gateway.tasks)]
    result = ask()
    assert (result.lost, result.sent, result.new) == (1, 1, 0)
    assert exactly_once(workspace, gateway)


def test_a_project_deleted_by_hand_is_made_again_with_what_was_not_answered(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    answered = min(gateway.tasks)
    gateway.answer(answered, "accept")
    pull_answers(workspace, gateway=gateway)
    gateway.projects.clear()
    gateway.tasks.clear()
    assert pull_answers(workspace, gateway=gateway).gone == ["portraits"]
    result = ask()
    assert (result.resumed, result.sent, result.new) == (2, 2, 0)
    assert len(gateway.tasks) == 2


@pytest.mark.parametrize("title", ["portraits", "another"])
def test_a_server_set_up_anew_counts_from_one_again(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, title: str
) -> None:
    """Whatever the title: the old project's number now belongs to the new one."""
    ask()
    anew = FakeGateway(gateway.url, began=gateway.tasks[max(gateway.tasks)].updated_at)
    result = push_questions(workspace, PushRequest(project=title), gateway=anew)
    assert result.project.server_id == 1
    push_questions(workspace, PushRequest(project="portraits"), gateway=anew)
    assert len(anew.tasks) == len({task.key for task in anew.tasks.values()}) == 3
    for task in list(anew.tasks):
        anew.answer(task, "accept")
    assert pull_answers(workspace, gateway=anew).decisions == {"accept": 3}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('name="decision"', 'name="verdict"', 'has no <Choices name="decision">'),
        ('alias="accept"', 'alias="good"', "has no 'accept' of 'decision'"),
        ('value="portrait"', 'value="person"', "has no 'portrait' of 'mask'"),
        ("</View>", "", "readable XML"),
    ],
)
def test_a_labeling_config_changed_by_hand_is_refused(
    gateway: FakeGateway,
    ask: Ask,
    workspace: Workspace,
    before: str,
    after: str,
    message: str,
) -> None:
    ask(limit=1)
    ((number, project),) = gateway.projects.items()
    gateway.projects[number] = replace(project, config=project.config.replace(before, after))
    for act in (ask, lambda: pull_answers(workspace, gateway=gateway)):
        with pytest.raises(ProjectChangedError, match=message):
            act()


def test_a_project_that_shows_other_predictions_is_refused(gateway: FakeGateway, ask: Ask) -> None:
    ask(limit=1)
    ((number, project),) = gateway.projects.items()
    for changes in ({"model_version": "another"}, {"shows_predictions": False}):
        gateway.projects[number] = replace(project, **changes)
        with pytest.raises(ProjectChangedError, match="does not show our masks"):
            ask()


def test_images_that_nobody_could_see_are_not_pushed(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "serves", lambda _project, _url: False)
    with pytest.raises(ReviewError, match="LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"):
        ask()
    assert not gateway.tasks


def test_one_push_at_a_time(workspace: Workspace, gateway: FakeGateway, ask: Ask) -> None:
    class Nosy(Silent):
        def begin(self, *_: object, **__: object) -> None:
            with pytest.raises(BusyError, match="a push is at work"):
                ask()

    request = PushRequest(verdicts=list(Verdict), limit=1, batch=10)
    push_questions(workspace, request, Nosy(), gateway=gateway)
    assert len(gateway.tasks) == 1


def test_other_purposes_are_sent_alike(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    first = ask()
    mask = masks(workspace)[0]
    question = NewQuestion(mask.id, mask.portrait_id, Purpose.AUDIT)
    with workspace.engine.begin() as connection:
        add(connection, first.project.id, [question])
    ask()
    assert len(gateway.tasks) == 4
    assert requests(workspace)[-1].purpose == Purpose.AUDIT
