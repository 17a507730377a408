"""Decisions come back once, bound to what was shown; what contradicts itself is reported."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from db import MaskSource, RequestState
from pipelines.label_studio.fake import FakeGateway, Fault
from pipelines.label_studio.gateway import Brush
from pipelines.label_studio.rle import encode_mask
from pipelines.pictures.stored_masks import read_grey
from pipelines.portraits.proposals import proposals
from pipelines.review.pull import PullResult, pull_answers
from pipelines.review.status import ReviewerCounts, review_counts
from pipelines.workspace.workspace import Workspace
from tests.pipelines.review.conftest import (
    ALL,
    Ask,
    add_revision,
    contents,
    masks,
    push_all,
    requests,
    reviews,
    stroke,
)


def shown(gateway: FakeGateway, task_id: int) -> Brush:
    mask = gateway.tasks[task_id].mask
    assert mask is not None
    return mask


def test_the_three_decisions(workspace: Workspace, gateway: FakeGateway, ask: Ask) -> None:
    ask()
    first, second, third = requests(workspace)
    gateway.answer(first.task_id, "accept", seconds=1.5)
    gateway.answer(second.task_id, "reject", reasons=["rough_edge", "background"])
    mask = shown(gateway, third.task_id)
    extra = stroke(mask.width, mask.height)
    gateway.answer(third.task_id, "fix", regions=[extra], reviewer="bob@example.org")
    result = pull_answers(workspace, gateway=gateway)
    assert result.decisions == {"accept": 1, "reject": 1, "fix": 1}
    accepted, rejected, fixed = reviews(workspace)
    assert (accepted.mask_id, accepted.decision) == (first.mask_id, "accept")
    assert (accepted.reviewer, accepted.seconds) == ("ann@example.org", 1.5)
    assert (rejected.mask_id, rejected.reasons) == (second.mask_id, ["rough_edge", "background"])
    assert (fixed.mask_id, fixed.decision) == (third.mask_id, "fix")
    assert {request.state for request in requests(workspace)} == {RequestState.ANSWERED}
    (new,) = (each for each in masks(workspace) if each.source == MaskSource.HUMAN)
    assert (new.id, new.portrait_id) == (fixed.fixed_mask_id, third.portrait_id)
    assert (new.revision, new.producer) == (2, "bob@example.org")
    drawn = read_grey(workspace.store, new.blob)
    assert set(np.unique(drawn)) == {0, 255}
    assert encode_mask(drawn > 127) == list(extra.rle)


def test_pulling_twice_changes_nothing(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    test_the_three_decisions(workspace, gateway, ask)
    before = contents(workspace)
    assert pull_answers(workspace, gateway=gateway) == PullResult()
    assert contents(workspace) == before


def test_predictions_are_no_decisions(workspace: Workspace, gateway: FakeGateway, ask: Ask) -> None:
    ask()
    assert not pull_answers(workspace, gateway=gateway).changed
    assert reviews(workspace) == []


def test_an_interrupted_pull_goes_on(workspace: Workspace, gateway: FakeGateway, ask: Ask) -> None:
    ask()
    gateway.answer(requests(workspace)[0].task_id, "accept")
    gateway.fail("updated_tasks", Fault.UNREACHABLE)
    with pytest.raises(Exception, match="cannot be reached"):
        pull_answers(workspace, gateway=gateway)
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}


@pytest.mark.parametrize("page_size", [1, 2])
def test_many_tasks_of_one_time_span_pages(
    workspace: Workspace,
    gateway: FakeGateway,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    page_size: int,
) -> None:
    monkeypatch.setattr("pipelines.review.pull._PAGE_SIZE", page_size)
    ask()
    moment = gateway.tasks[min(gateway.tasks)].updated_at
    for request in requests(workspace):
        gateway.answer(request.task_id, "accept")
        gateway.tasks[request.task_id].updated_at = moment
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 3}


@pytest.mark.parametrize(
    ("decision", "regions", "message"),
    [
        (None, "shown", "holds no decision"),
        ("accept", "none", "it is not there any more"),
        ("accept", "more", "accepted and changed"),
        ("fix", "none", "there is none"),
        ("fix", "shown", "is the one that was shown"),
        ("fix", "broken", "cut off"),
        ("fix", "other size", "pixels, the portrait"),
    ],
)
def test_an_answer_that_contradicts_itself_is_reported(
    workspace: Workspace,
    gateway: FakeGateway,
    ask: Ask,
    decision: str | None,
    regions: str,
    message: str,
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    mask = shown(gateway, request.task_id)
    given = {
        "shown": [mask],
        "none": [],
        "more": [mask, Brush(encode_mask(~np.zeros((mask.height, mask.width), np.bool_)),
                             mask.width, mask.height)],
        "broken": [Brush(list(mask.rle)[:40], mask.width, mask.height)],
        "other size": [stroke(mask.width + 1, mask.height)],
    }[regions]  # fmt: skip
    gateway.answer(request.task_id, decision, regions=given)
    result = pull_answers(workspace, gateway=gateway)
    (problem,) = result.problems
    assert message in problem
    assert f"portrait {request.portrait_id}: " in problem
    assert f"?task={request.task_id}" in problem
    assert reviews(workspace) == []
    assert requests(workspace)[0].state == RequestState.SENT
    assert pull_answers(workspace, gateway=gateway).problems == [], "said once"
    with workspace.engine.begin() as connection:
        assert review_counts(connection).problems == [problem]
    # The reviewer puts it right.
    annotation = gateway.tasks[request.task_id].annotations[0]
    better = {"choices": {"decision": ["accept"]}, "regions": [mask]}
    gateway.edit(request.task_id, annotation.id, **better)
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}
    assert requests(workspace)[0].problem is None


def test_an_answer_that_is_changed_replaces_the_decision(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    annotation = gateway.answer(request.task_id, "accept")
    pull_answers(workspace, gateway=gateway)
    gateway.edit(request.task_id, annotation, choices={"decision": ["reject"]})
    result = pull_answers(workspace, gateway=gateway)
    assert (result.decisions, result.withdrawn) == ({"reject": 1}, 1)
    assert [each.decision for each in reviews(workspace)] == ["reject"]
    assert len(reviews(workspace, standing=False)) == 2


@pytest.mark.parametrize("way", ["deleted", "skipped"])
def test_an_answer_that_is_taken_back_opens_the_question(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, way: str
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    annotation = gateway.answer(request.task_id, "accept")
    pull_answers(workspace, gateway=gateway)
    if way == "deleted":
        gateway.delete_answer(request.task_id, annotation)
    else:
        gateway.edit(request.task_id, annotation, skipped=True)
    result = pull_answers(workspace, gateway=gateway)
    assert (result.decisions, result.withdrawn) == ({}, 1)
    assert reviews(workspace) == []
    assert requests(workspace)[0].state == RequestState.SENT
    assert ask(limit=1).new == 1, "another portrait: this one's task still waits"


def test_a_skipped_task_waits(workspace: Workspace, gateway: FakeGateway, ask: Ask) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    gateway.answer(request.task_id, None, skipped=True)
    result = pull_answers(workspace, gateway=gateway)
    assert (result.skipped, result.changed) == (1, False)
    gateway.answer(request.task_id, "accept", reviewer="bob@example.org")
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}


def test_a_decision_is_about_the_mask_that_was_shown(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    gateway.answer(request.task_id, "accept")
    newer = add_revision(workspace, request.portrait_id, MaskSource.STUDENT)
    pull_answers(workspace, gateway=gateway)
    (review,) = reviews(workspace)
    assert review.mask_id == request.mask_id != newer


def test_an_edited_comment_does_not_make_a_revision(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    mask = shown(gateway, request.task_id)
    drawn = [stroke(mask.width, mask.height)]
    annotation = gateway.answer(request.task_id, "fix", regions=drawn)
    pull_answers(workspace, gateway=gateway)
    gateway.edit(request.task_id, annotation, comment="the ear")
    pull_answers(workspace, gateway=gateway)
    (review,) = reviews(workspace)
    assert review.comment == "the ear"
    (human,) = (each for each in masks(workspace) if each.source == MaskSource.HUMAN)
    assert review.fixed_mask_id == human.id


def test_people_who_disagree_are_asked_again(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    gateway.answer(request.task_id, "accept", reviewer="ann@example.org", seconds=1)
    gateway.answer(request.task_id, "reject", reviewer="bob@example.org", seconds=3)
    pull_answers(workspace, gateway=gateway)
    with workspace.engine.begin() as connection:
        counts = review_counts(connection)
        again = [each for each in proposals(connection, ALL) if each.mask_id == request.mask_id]
    assert (counts.accepted, counts.rejected, counts.disagreed) == (0, 0, 1)
    assert counts.reviewers["ann@example.org"] == ReviewerCounts({"accept": 1}, 1.0, 1, 0, None)
    assert [each.replicate for each in again] == [1]
    ask()
    (second,) = (each for each in requests(workspace) if each.replicate == 1)
    assert second.mask_id == request.mask_id
    gateway.answer(second.task_id, "accept", reviewer="eve@example.org")
    pull_answers(workspace, gateway=gateway)
    with workspace.engine.begin() as connection:
        counts = review_counts(connection)
    assert (counts.accepted, counts.disagreed) == (1, 0)
    assert counts.reviewers["eve@example.org"] == ReviewerCounts({"accept": 1}, 2.0, 2, 1, None)
    assert ask().new == 0


def test_tasks_of_others_are_left_alone(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    ask()
    task = gateway.tasks[min(gateway.tasks)]
    gateway.tasks[999] = replace(task, id=999, key="theirs")
    result = pull_answers(workspace, gateway=gateway)
    assert (result.foreign, result.changed) == (1, False)
    assert 999 in gateway.tasks


def test_a_double_that_somebody_worked_on_is_reported(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("import_tasks", Fault.TWICE)
    ask(limit=1)
    double = max(gateway.tasks)
    gateway.answer(double, "accept")
    result = pull_answers(workspace, gateway=gateway)
    assert result.removed == 0
    assert "delete one of them" in result.problems[0]


def test_an_answer_may_come_before_the_push_knows_of_its_task(
    workspace: Workspace, gateway: FakeGateway, ask: Ask
) -> None:
    gateway.fail("import_tasks", Fault.LOST)
    gateway.fail("find_tasks", Fault.UNREACHABLE)
    with pytest.raises(Exception, match="cannot be reached"):
        ask(limit=1)
    (task_id,) = gateway.tasks
    gateway.answer(task_id, "accept")
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}
    (request,) = requests(workspace)
    assert (request.state, request.task_id) == (RequestState.ANSWERED, task_id)
    assert ask(limit=1).resumed == 0


def test_a_servers_clock_that_was_ahead_is_set_back(workspace: Workspace) -> None:
    """What is answered then has times before those that were pulled, and is seen all the same."""
    right = datetime.now(UTC)
    gateway = FakeGateway(began=right + timedelta(days=1))
    push_all(workspace, gateway)
    first, second, third = gateway.tasks
    gateway.answer(first, "accept")
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}
    gateway._now = right
    gateway.answer(second, "reject")
    assert pull_answers(workspace, gateway=gateway).decisions == {"reject": 1}
    gateway.answer(third, "accept")
    assert pull_answers(workspace, gateway=gateway).decisions == {"accept": 1}
    assert not pull_answers(workspace, gateway=gateway).changed
