"""Honeypots and re-checks: blind, in their share, and without a trace where people learn from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from db import Decision, Honeypot, MaskSource, Purpose, reader
from pipelines.doubt.decided import decided_masks
from pipelines.label_studio.fake import FakeGateway
from pipelines.label_studio.gateway import Brush
from pipelines.label_studio.rle import decode_mask, encode_mask
from pipelines.lineage.collecting import CollectRequest, collect_garbage
from pipelines.lineage.forgetting import remove_photos
from pipelines.pictures.stored_masks import read_mask
from pipelines.portraits.decisions import decided
from pipelines.portraits.proposals import proposals
from pipelines.portraits.reviewer_errors import errors_of, rate, rechecked, reviewer_errors
from pipelines.portraits.standing import MinSource, standings
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.review.status import review_counts
from pipelines.workspace.workspace import Workspace
from tests.pipelines.review.conftest import ALL, add_revision, masks, push_all, requests, reviews
from tests.pipelines.reviewed_workspaces import Prepared, opened_copy
from tests.pipelines.reviewed_workspaces import _settings as _settings
from tests.pipelines.reviewed_workspaces import many as many
from tests.pipelines.reviewed_workspaces import reviewed as reviewed
from tests.pipelines.reviewed_workspaces import scored as scored

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def server(
    scored: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> Iterator[tuple[Workspace, FakeGateway]]:
    """60 masks that ann decided about, 40 of them good, and 60 more; shares by the parameter."""
    honeypots, rechecks = request.param
    monkeypatch.setenv("DATAENGINE_REVIEW__HONEYPOT_SHARE", str(honeypots))
    monkeypatch.setenv("DATAENGINE_REVIEW__RECHECK_SHARE", str(rechecks))
    workspace, gateway = opened_copy(scored, tmp_path)
    yield workspace, gateway
    workspace.close()


with_shares = pytest.mark.parametrize
HONEYPOTS = with_shares("server", [(0.2, 0)], indirect=True)
RECHECKS = with_shares("server", [(0, 0.2)], indirect=True)


def asked_for(workspace: Workspace, purpose: Purpose) -> list[sa.Row[Any]]:
    return [row for row in requests(workspace) if row.purpose is purpose]


def honeypots(workspace: Workspace) -> dict[int, sa.Row[Any]]:
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(Honeypot.__table__))
        return {row.request_id: row for row in rows}


def beliefs(workspace: Workspace) -> list[Any]:
    """Everything that is learnt from, released or asked next."""
    with workspace.engine.begin() as connection:
        return [
            decided_masks(connection, workspace.store, 0.9),
            decided(connection),
            standings(connection, MinSource.ANY),
            [each.mask_id for each in proposals(connection, ALL)],
        ]


@HONEYPOTS
def test_honeypots_are_spoilt_versions_of_accepted_masks_among_the_others(
    server: tuple[Workspace, FakeGateway],
) -> None:
    workspace, gateway = server
    before = masks(workspace)
    result = push_all(workspace, gateway, order=Order.RANDOM, limit=60)
    made = asked_for(workspace, Purpose.HONEYPOT)
    assert result.new == 60, "they count against the limit"
    assert len(made) == 24, "a fifth of the 60 before and the 60 now"
    assert masks(workspace) == before, "no row of a mask comes of it"
    new = [row.purpose for row in requests(workspace)[60:]]
    assert new != sorted(new), "among the others"
    assert len({row.portrait_id for row in made}) == 24, "nobody is shown twice"
    known, blobs = honeypots(workspace), {row.id: row.blob for row in before}
    for row in made:
        honeypot, task = known[row.id], gateway.tasks[row.task_id]
        assert honeypot.damage is not None, "a mask that one person accepted is not known as good"
        good = read_mask(workspace.store, blobs[row.mask_id])
        shown = decode_mask(task.mask.rle, *good.shape) > 127
        assert np.array_equal(shown, read_mask(workspace.store, honeypot.shown_blob))
        iou = np.count_nonzero(shown & good) / np.count_nonzero(shown | good)
        assert 0.70 <= iou <= 0.85
        assert iou == pytest.approx(honeypot.iou)


@HONEYPOTS
def test_their_answers_measure_and_nothing_else(server: tuple[Workspace, FakeGateway]) -> None:
    workspace, gateway = server
    push_all(workspace, gateway, order=Order.RANDOM, limit=60)
    before, rows = beliefs(workspace), masks(workspace)
    made = asked_for(workspace, Purpose.HONEYPOT)
    known, blobs = honeypots(workspace), {row.id: row.blob for row in rows}
    for index, row in enumerate(made):
        task = gateway.tasks[row.task_id]
        if index < 3:  # overlooked
            gateway.answer(task.id, "accept", reviewer=ANN)
        elif index == 3:  # repaired
            good = read_mask(workspace.store, blobs[row.mask_id])
            brush = Brush(encode_mask(good), good.shape[1], good.shape[0])
            gateway.answer(task.id, "fix", reviewer=ANN, regions=[brush])
        elif index == 4:  # hardly touched, which is no repair
            shown = read_mask(workspace.store, known[row.id].shown_blob)
            touched = shown.copy()
            touched.flat[np.flatnonzero(shown)[:5]] = False
            brush = Brush(encode_mask(touched), shown.shape[1], shown.shape[0])
            gateway.answer(task.id, "fix", reviewer=BOB, regions=[brush])
        else:
            gateway.answer(task.id, "reject", reviewer=BOB)
    pull_answers(workspace, gateway=gateway)
    assert beliefs(workspace) == before
    assert masks(workspace) == rows, "what was drawn over a spoilt mask is nobody's mask"
    with workspace.engine.begin() as connection:
        found = reviewer_errors(connection, 0.9)
        both = errors_of(connection, 0.9, [ANN, BOB, "nobody@example.org"])
        strict = reviewer_errors(connection, 0.5)
        counts = review_counts(connection)
    assert found[ANN].missed == rate(3, 4)
    assert found[BOB].missed == rate(1, len(made) - 4)
    assert both.missed == rate(4, len(made))
    assert both.false_alarms.shown == both.changed.shown == 0
    assert strict == {}, "masks that are not bad by that measure do not count"
    assert counts.reviewers[ANN].error_rates == found[ANN]
    assert counts.reviewers[BOB].decisions == {}, "no decisions about masks"


@HONEYPOTS
def test_two_acceptances_make_a_mask_known_as_good(server: tuple[Workspace, FakeGateway]) -> None:
    workspace, gateway = server
    for row in requests(workspace):
        task = gateway.tasks[row.task_id]
        if task.annotations[0].choices["decision"] == ["accept"]:
            gateway.answer(task.id, "accept", reviewer=BOB)
    pull_answers(workspace, gateway=gateway)
    push_all(workspace, gateway, order=Order.RANDOM, limit=60)
    good = [each for each in honeypots(workspace).values() if each.damage is None]
    assert 2 <= len(good) <= 22, "about half of 24"
    assert all((each.shown_blob, each.iou) == (None, 1.0) for each in good)
    by_id = {row.id: row for row in requests(workspace)}
    gateway.answer(by_id[good[0].request_id].task_id, "reject", reviewer=ANN)
    gateway.answer(by_id[good[1].request_id].task_id, "accept", reviewer=ANN)
    pull_answers(workspace, gateway=gateway)
    with workspace.engine.begin() as connection:
        assert reviewer_errors(connection, 0.9)[ANN].false_alarms == rate(1, 2)
        decision = decided(connection)[by_id[good[0].request_id].mask_id]
    assert decision is Decision.ACCEPT, "it stands"


@HONEYPOTS
def test_a_honeypot_stays_when_its_portrait_gets_a_newer_mask(
    server: tuple[Workspace, FakeGateway],
) -> None:
    workspace, gateway = server
    push_all(workspace, gateway, order=Order.RANDOM, limit=60)
    row = asked_for(workspace, Purpose.HONEYPOT)[0]
    add_revision(workspace, row.portrait_id, MaskSource.STUDENT)
    push_all(workspace, gateway, order=Order.RANDOM, limit=1)
    assert row.task_id in gateway.tasks


@HONEYPOTS
def test_spoilt_masks_are_kept_and_forgotten_with_their_photo(
    server: tuple[Workspace, FakeGateway],
) -> None:
    workspace, gateway = server
    push_all(workspace, gateway, order=Order.RANDOM, limit=60)
    assert collect_garbage(workspace, CollectRequest(dry_run=True)).blobs == 0, (
        "their rows name them"
    )
    row = asked_for(workspace, Purpose.HONEYPOT)[0]
    blob = honeypots(workspace)[row.id].shown_blob
    query = sa.text("SELECT image_id FROM portrait WHERE id = :id")
    with workspace.engine.begin() as connection:
        image = connection.scalar(query, {"id": row.portrait_id})
    remove_photos(workspace, [image])
    assert row.id not in honeypots(workspace)
    assert not workspace.store.local_path(blob).exists()


@RECHECKS
def test_accepted_masks_come_back_in_their_share_and_once(
    server: tuple[Workspace, FakeGateway],
) -> None:
    workspace, gateway = server
    push_all(workspace, gateway, order=Order.RANDOM, limit=30)
    again = asked_for(workspace, Purpose.REPEAT)
    assert len(again) == 6, "a fifth of 40 accepted masks, but not more than a fifth of the push"
    with workspace.engine.begin() as connection:
        decisions = decided(connection)
    assert {decisions[row.mask_id] for row in again} == {Decision.ACCEPT}
    for _ in range(2):
        push_all(workspace, gateway, order=Order.RANDOM, limit=30)
    again = asked_for(workspace, Purpose.REPEAT)
    assert len({row.mask_id for row in again}) == len(again) == 8


@RECHECKS
def test_a_contradiction_asks_another_person(server: tuple[Workspace, FakeGateway]) -> None:
    workspace, gateway = server
    push_all(workspace, gateway, order=Order.RANDOM, limit=None)
    again = asked_for(workspace, Purpose.REPEAT)
    for row in again[1:]:
        gateway.answer(row.task_id, "accept", reviewer=ANN)
    gateway.answer(again[0].task_id, "reject", reviewer=BOB)
    gateway.answer(again[0].task_id, "reject", reviewer=ANN)
    pull_answers(workspace, gateway=gateway)
    with workspace.engine.begin() as connection:
        assert rechecked(connection, 0.9).by_people == rate(1, 8)
        assert reviewer_errors(connection, 0.9)[ANN].changed == rate(1, 8)
        assert decided(connection)[again[0].mask_id] is Decision.REJECT, "both say so now"
    gateway.answer(again[1].task_id, "reject", reviewer=BOB)
    pull_answers(workspace, gateway=gateway)
    with workspace.engine.begin() as connection:
        assert decided(connection)[again[1].mask_id] is None
        assert again[1].mask_id in {each.mask_id for each in proposals(connection, ALL)}


@with_shares("server", [(0.05, 0.02)], indirect=True)
def test_small_pushes_get_their_share_over_time(server: tuple[Workspace, FakeGateway]) -> None:
    workspace, gateway = server
    for _ in range(8):
        push_all(workspace, gateway, order=Order.RANDOM, limit=5)
    purposes = [row.purpose for row in requests(workspace)]
    assert len(purposes) == 60 + 8 * 5
    assert purposes.count(Purpose.HONEYPOT) in (4, 5)
    assert purposes.count(Purpose.REPEAT) == 0, "less than one mask"


@with_shares("server", [(0, 0)], indirect=True)
def test_both_can_be_turned_off(server: tuple[Workspace, FakeGateway]) -> None:
    workspace, gateway = server
    push_all(workspace, gateway, order=Order.RANDOM, limit=None)
    assert {row.purpose for row in requests(workspace)} == {Purpose.REVIEW}
    with reader(workspace.engine).begin() as connection:
        assert review_counts(connection).rechecked.by_people == rate(0, 0)
    assert all(row.fixed_iou is None for row in reviews(workspace))


def test_rates_have_exact_intervals() -> None:
    found = rate(2, 40)
    assert (found.low, found.high) == pytest.approx((0.0061, 0.1692), abs=1e-4)
    assert rate(0, 0).high == 1
