"""The same against a real Label Studio: what it stores, finds, and says when something is wrong."""

from typing import Any

import numpy as np
import pytest
from label_studio_sdk import LabelStudio

from db import Purpose, RequestState
from pipelines.label_studio.errors import (
    NotAllowedError,
    ProjectChangedError,
    UnreachableError,
)
from pipelines.label_studio.rle import decode_mask, encode_mask
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.label_studio.server import local_server
from pipelines.pictures.stored_masks import read_mask
from pipelines.portraits.reviewer_errors import rate, reviewer_errors
from pipelines.review.projects import recognise
from pipelines.review.pull import PullResult, pull_answers
from pipelines.workspace.errors import ServerStartError
from pipelines.workspace.workspace import Workspace
from tests.label_studio import RealServer
from tests.pipelines.review.conftest import contents, masks, push_real, requests, reviews, stroke


@pytest.fixture(scope="session")
def client(server: RealServer) -> Any:
    return LabelStudio(base_url=server.url, api_key=server.token)


def shown(client: Any, task_id: int) -> list[dict[str, Any]]:
    """The results that the editor fills a task with."""
    (prediction,) = client.predictions.list(task=task_id)
    return [dict(each) for each in prediction.result]


def choice(name: str, *values: str) -> dict[str, Any]:
    result = {"id": name, "from_name": name, "to_name": "image", "type": "choices"}
    return {**result, "value": {"choices": list(values)}}


def submit(client: Any, task_id: int, *results: dict[str, Any]) -> Any:
    return client.annotations.create(task_id, result=list(results), lead_time=2.5)


def test_the_round_trip(served: Workspace, real: LabelStudioGateway, client: Any) -> None:
    pushed = push_real(served, real)
    assert (pushed.new, pushed.sent) == (3, 3)
    accepted, rejected, fixed = requests(served)
    of_mask = {mask.id: read_mask(served.store, mask.blob) for mask in masks(served)}
    submit(client, accepted.task_id, choice("decision", "accept"), *shown(client, accepted.task_id))
    submit(
        client,
        rejected.task_id,
        choice("decision", "reject"),
        choice("reason", "rough_edge", "bad_photo"),
        *shown(client, rejected.task_id),
    )
    (region,) = shown(client, fixed.task_id)
    extra = stroke(region["original_width"], region["original_height"])
    extended = {**region, "id": "new", "value": {**region["value"], "rle": list(extra.rle)}}
    submit(client, fixed.task_id, choice("decision", "fix"), region, extended)

    result = pull_answers(served, gateway=real)
    assert (result.decisions, result.problems) == ({"accept": 1, "reject": 1, "fix": 1}, [])
    one, two, three = sorted(reviews(served), key=lambda review: review.request_id)
    assert (one.mask_id, one.decision, one.seconds) == (accepted.mask_id, "accept", 2.5)
    assert (two.mask_id, two.reasons) == (rejected.mask_id, ["rough_edge", "bad_photo"])
    assert {review.reviewer for review in (one, two, three)} == {real.user}
    (drawn,) = (mask for mask in masks(served) if mask.id == three.fixed_mask_id)
    expected = of_mask[fixed.mask_id] | (decode_mask(extra.rle, extra.height, extra.width) > 127)
    np.testing.assert_array_equal(read_mask(served.store, drawn.blob), expected)

    before = contents(served)
    assert pull_answers(served, gateway=real) == PullResult()
    assert push_real(served, real).sent == 0
    assert contents(served) == before


@pytest.fixture
def _half_honeypots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAENGINE_REVIEW__HONEYPOT_SHARE", "0.5")


@pytest.mark.usefixtures("_half_honeypots")
def test_a_honeypot_looks_like_any_task_and_is_judged(
    served: Workspace, real: LabelStudioGateway, client: Any
) -> None:
    push_real(served, real, limit=2)
    for request in requests(served):
        mask = shown(client, request.task_id)
        submit(client, request.task_id, choice("decision", "accept"), *mask)
    pull_answers(served, gateway=real)
    before = masks(served)
    push_real(served, real)
    (honeypot,) = (row for row in requests(served) if row.purpose is Purpose.HONEYPOT)
    task = client.tasks.get(str(honeypot.task_id))
    assert set(task.data) == {"image", "sample_id"}
    (region,) = shown(client, honeypot.task_id)
    (good,) = (mask for mask in before if mask.id == honeypot.mask_id)
    pixels = read_mask(served.store, good.blob)
    seen = decode_mask(region["value"]["rle"], *pixels.shape) > 127
    iou = np.count_nonzero(seen & pixels) / np.count_nonzero(seen | pixels)
    assert 0.70 <= iou <= 0.85, "the spoilt mask is shown"
    repaired = {**region, "value": {**region["value"], "rle": encode_mask(pixels)}}
    submit(client, honeypot.task_id, choice("decision", "fix"), repaired)
    assert pull_answers(served, gateway=real).problems == []
    with served.engine.begin() as connection:
        assert reviewer_errors(connection, 0.9)[real.user].missed == rate(0, 1)
    assert masks(served) == before


def test_a_pushed_mask_is_on_the_server_pixel_by_pixel_and_says_no_more(
    served: Workspace, real: LabelStudioGateway, client: Any
) -> None:
    pushed = push_real(served, real)
    for request in requests(served):
        task = client.tasks.get(str(request.task_id))
        assert set(task.data) == {"image", "sample_id"}
        assert task.data["sample_id"] == request.key
        assert not task.meta
        assert real.serves(pushed.project.server_id, task.data["image"])
        (prediction,) = client.predictions.list(task=request.task_id)
        assert (prediction.model_version, prediction.score) == ("proposal", None)
        (region,) = prediction.result
        mask = next(mask for mask in masks(served) if mask.id == request.mask_id)
        expected = read_mask(served.store, mask.blob)
        assert region["value"]["rle"] == encode_mask(expected)
        assert (region["original_height"], region["original_width"]) == expected.shape


def test_answers_that_are_edited_deleted_and_skipped(
    served: Workspace, real: LabelStudioGateway, client: Any
) -> None:
    push_real(served, real, limit=1)
    (request,) = requests(served)
    mask = shown(client, request.task_id)
    annotation = submit(client, request.task_id, choice("decision", "accept"), *mask)
    assert pull_answers(served, gateway=real).decisions == {"accept": 1}
    client.annotations.update(annotation.id, result=[choice("decision", "reject")])
    result = pull_answers(served, gateway=real)
    assert (result.decisions, result.withdrawn) == ({"reject": 1}, 1)
    client.annotations.delete(annotation.id)
    result = pull_answers(served, gateway=real)
    assert (result.decisions, result.withdrawn) == ({}, 1)
    assert requests(served)[0].state == RequestState.SENT
    client.annotations.create(request.task_id, result=[], was_cancelled=True)
    result = pull_answers(served, gateway=real)
    assert (result.skipped, result.changed) == (1, False)


def test_tasks_are_found_by_key_and_deleted_once(
    served: Workspace, real: LabelStudioGateway
) -> None:
    push_real(served, real)
    project = recognise(served, real).ours[0].project.server_id
    first, *others = requests(served)
    found = real.find_tasks(project, [first.key, "0" * 32])
    assert [(each.id, each.key) for each in found] == [(first.task_id, first.key)]
    assert (found[0].has_mask, found[0].is_answered) == (True, False)
    assert real.task_ids(project) == {each.task_id for each in (first, *others)}
    real.delete_task(first.task_id)
    real.delete_task(first.task_id)
    assert real.find_tasks(project, [first.key]) == []
    result = push_real(served, real)
    assert (result.lost, result.sent) == (1, 1)
    assert len(real.task_ids(project)) == 3


def test_labels_renamed_by_hand(served: Workspace, real: LabelStudioGateway, client: Any) -> None:
    pushed = push_real(served, real, limit=1)
    number = pushed.project.server_id
    config = client.projects.get(number).label_config
    client.projects.update(number, label_config=config.replace('value="portrait"', 'value="man"'))
    with pytest.raises(ProjectChangedError, match="no 'portrait' of 'mask'"):
        push_real(served, real)
    with pytest.raises(ProjectChangedError, match=f"projects/{number}"):
        pull_answers(served, gateway=real)


def test_a_project_deleted_by_hand(
    served: Workspace, real: LabelStudioGateway, client: Any
) -> None:
    pushed = push_real(served, real)
    client.projects.delete(pushed.project.server_id)
    assert pull_answers(served, gateway=real).gone == [served.settings.review.project]
    again = push_real(served, real)
    assert (again.sent, again.new) == (3, 0)
    assert len(real.task_ids(again.project.server_id)) == 3


def test_a_wrong_token(server: RealServer) -> None:
    with pytest.raises(NotAllowedError) as caught:
        LabelStudioGateway(server.url, "0123456789abcdef", 10)
    assert "LABEL_STUDIO_API_KEY" in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


def test_a_personal_access_token(server: RealServer, real: LabelStudioGateway, client: Any) -> None:
    client.jwt_settings.update(
        api_tokens_enabled=True, legacy_api_tokens_enabled=True, api_token_ttl_days=30
    )
    token = client.tokens.create().token
    assert LabelStudioGateway(server.url, token, 30).user == real.user


def test_nobody_there() -> None:
    with pytest.raises(UnreachableError, match="is the server running"):
        LabelStudioGateway("http://127.0.0.1:9", "token", 5)


def test_two_people_on_one_task(served: Workspace, real: LabelStudioGateway, client: Any) -> None:
    push_real(served, real, limit=1)
    (request,) = requests(served)
    other = client.users.create(email=f"{request.key}@example.org", username=request.key)
    mask = shown(client, request.task_id)
    submit(client, request.task_id, choice("decision", "accept"), *mask)
    client.annotations.create(
        request.task_id,
        result=[choice("decision", "reject"), choice("reason", "rough_edge")],
        completed_by=other.id,
    )
    pull_answers(served, gateway=real)
    assert {review.reviewer for review in reviews(served)} == {real.user, other.email}
    assert [each.state for each in requests(served)] == [RequestState.ANSWERED]
    again = push_real(served, real, limit=1)
    assert again.new == 1


def test_one_server_a_data_folder(server: RealServer) -> None:
    again = local_server(server.server.data_dir, server.root)
    with pytest.raises(ServerStartError, match="runs on this folder already"), again:
        pass


def test_the_servers_secrets_stay_with_it(server: RealServer, served: Workspace) -> None:
    login = server.server.login
    assert (server.server.data_dir / "login.json").stat().st_mode & 0o777 == 0o600
    assert login.password not in server.log
    assert login.token not in server.log
    for file in served.paths.root.rglob("*"):
        if file.is_file():
            assert login.token.encode() not in file.read_bytes()
