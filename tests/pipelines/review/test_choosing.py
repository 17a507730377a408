"""Which masks are asked about, in which order, and how much chance decides."""

import math
from collections import Counter
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import sqlalchemy as sa

from db import Decision, MaskSource, PortraitFeatures, Verdict
from pipelines.doubt.stored_features import stored_features
from pipelines.label_studio.fake import FakeGateway
from pipelines.networks import parse_network
from pipelines.networks.features import BUNDLED
from pipelines.portraits.decisions import majority
from pipelines.portraits.proposals import Proposal, proposals
from pipelines.review.choosing import Order, draw, ranking
from pipelines.review.pull import pull_answers
from pipelines.workspace.store import Store
from pipelines.workspace.workspace import Workspace
from tests.pipelines.review.conftest import ALL, Ask, add_revision, masks, requests


def some(number: int) -> list[Proposal]:
    return [Proposal(i, 1000 + i, f"blob{i}", i / number, 0) for i in range(number)]


def by_confidence(each: Proposal) -> float:
    return each.confidence


def test_a_share_is_drawn_at_random_and_marked() -> None:
    picks = draw(some(1000), 200, 0.1, by_confidence)
    drawn = [pick.proposal.mask_id for pick in picks if pick.at_random]
    ranked = sorted(pick.proposal.mask_id for pick in picks if not pick.at_random)
    assert (len(drawn), len(ranked)) == (20, 180)
    assert max(ranked) < 200, "the least sure ones"
    assert max(drawn) > 200, "20 of 1000 are not among the first 200 by chance"
    assert len({pick.proposal.mask_id for pick in picks}) == 200


def test_the_order_of_a_push_says_nothing_about_rank() -> None:
    picks = draw(some(1000), 200, 0.0, by_confidence)
    ids = [pick.proposal.mask_id for pick in picks]
    assert set(ids) == set(range(200))
    assert ids != sorted(ids)
    assert sum(ids[:100]) == pytest.approx(sum(ids[100:]), rel=0.4)


@pytest.mark.parametrize(
    ("limit", "share", "chosen", "drawn"),
    [(None, 0.1, 10, 1), (3, 0.1, 3, 1), (3, 0.0, 3, 0), (3, 1.0, 3, 3), (50, 0.25, 10, 3)],
)
def test_how_many(limit: int | None, share: float, chosen: int, drawn: int) -> None:
    picks = draw(some(10), limit, share, by_confidence)
    assert (len(picks), sum(pick.at_random for pick in picks)) == (chosen, drawn)


def test_nothing_to_draw_from() -> None:
    assert draw([], 10, 0.1, by_confidence) == []


def test_the_random_order_is_all_chance() -> None:
    assert all(pick.at_random for pick in draw(some(10), 5, 0.1, None))


def chosen(workspace: Workspace, order: Order) -> int:
    """The portrait that comes first."""
    with workspace.engine.begin() as connection:
        found = proposals(connection, ALL)
        rank = ranking(order, connection, workspace.store, found)
    (pick,) = draw(found, 1, 0.0, rank)
    return pick.proposal.portrait_id


def test_orders(workspace: Workspace) -> None:
    first, second, third = (mask.portrait_id for mask in masks(workspace))
    assert chosen(workspace, Order.ID) == first
    add_revision(workspace, second, MaskSource.STUDENT)
    assert chosen(workspace, Order.DISAGREEMENT) == second
    assert chosen(workspace, Order.UNCERTAIN) == second, "a mask without a confidence"
    assert chosen(workspace, Order.RANDOM) in (first, second, third)


def test_only_the_verdicts_asked_for(workspace: Workspace) -> None:
    with workspace.engine.begin() as connection:
        found = {verdict: proposals(connection, [verdict]) for verdict in Verdict}
    for verdict, some_of in found.items():
        of_it = [mask.id for mask in masks(workspace) if mask.verdict == verdict]
        assert [each.mask_id for each in some_of] == of_it


def test_peoples_masks_are_not_asked_about(workspace: Workspace) -> None:
    first, second, third = (mask.portrait_id for mask in masks(workspace))
    add_revision(workspace, first, MaskSource.IMPORT)
    add_revision(workspace, second, MaskSource.HUMAN)  # somebody drew it, and it was not accepted
    with workspace.engine.begin() as connection:
        found = proposals(connection, ALL)
    assert [each.portrait_id for each in found] == [second, third]


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_a_better_mask_of_a_rejected_portrait_is_asked_about(
    workspace: Workspace, gateway: FakeGateway, ask: Ask, decision: str
) -> None:
    ask(limit=1)
    (request,) = requests(workspace)
    gateway.answer(request.task_id, decision, reasons=["rough_edge"])
    pull_answers(workspace, gateway=gateway)
    newer = add_revision(workspace, request.portrait_id, MaskSource.STUDENT)
    with workspace.engine.begin() as connection:
        asked = [each.mask_id for each in proposals(connection, ALL)]
    assert request.mask_id not in asked
    assert (newer in asked) == (decision == "reject")


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("a", "accept"), ("aa", "accept"), ("ar", None), ("aar", "accept"), ("arf", None),
        ("ffra", None), ("rrrfa", "reject"),
    ],
)  # fmt: skip
def test_majority(votes: str, expected: str | None) -> None:
    kinds = {"a": Decision.ACCEPT, "r": Decision.REJECT, "f": Decision.FIX}
    assert majority([kinds[vote] for vote in votes]) == expected


def test_the_test_split_has_its_share_and_only_chance_chooses_there() -> None:
    found = [replace(each, in_test=each.mask_id % 5 == 0) for each in some(1000)]
    picks = draw(found, 100, 0.1, by_confidence)
    of_test = [pick for pick in picks if pick.proposal.in_test]
    assert len(picks) == 100
    assert len(of_test) == 20
    assert all(pick.at_random for pick in of_test)
    # Were they ranked, they would be the first hundred of the thousand.
    assert max(pick.proposal.mask_id for pick in of_test) > 200
    assert sum(pick.at_random for pick in picks) == 20 + 8


def test_one_mask_of_the_test_split_is_enough_to_be_asked_about() -> None:
    found = [replace(each, in_test=each.mask_id == 999) for each in some(1000)]
    assert any(pick.proposal.in_test for pick in draw(found, 10, 0.0, by_confidence))


def informative_ids(found: list[Proposal], share: float, number: int) -> list[int]:
    """Masks chosen by rank, where all are doubted alike."""
    features = {each.portrait_id: np.eye(4, dtype=np.float32)[each.mask_id % 4] for each in found}
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.review.choosing.doubts", lambda _: {})
        store = cast("Store", None)
        rank = ranking(Order.INFORMATIVE, connection, store, found, number, features)
    picks = draw(found, number, share, rank)
    assert sum(pick.at_random for pick in picks) == math.ceil(share * number)
    return [pick.proposal.mask_id for pick in picks if not pick.at_random]


def test_informative_masks_are_unlike_each_other_and_no_near_duplicates() -> None:
    found = [replace(each, group=each.mask_id // 2) for each in some(100)]
    ids = informative_ids(found, 0.0, 4)
    assert {each % 4 for each in ids} == {0, 1, 2, 3}
    assert len({each // 2 for each in ids}) == 4


def test_the_random_share_is_as_large_as_in_any_order() -> None:
    assert len(informative_ids(some(100), 0.25, 20)) == 15


def test_the_random_share_does_not_look_at_features() -> None:
    # Chance alone draws it: over many pushes every mask comes as often as any other.
    found = some(20)
    pushes, of_each = 2000, 2
    drawn = Counter(
        pick.proposal.mask_id
        for _ in range(pushes)
        for pick in draw(found, 2 * of_each, 0.5, lambda each: float(each.mask_id))
        if pick.at_random
    )
    share = of_each / len(found)
    deviation = math.sqrt(pushes * share * (1 - share))
    # Six deviations: chance alone fails this once in 25 million runs.
    assert len(drawn) == len(found)
    assert all(abs(times - pushes * share) < 6 * deviation for times in drawn.values())


def test_a_push_remembers_what_the_student_sees(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(order=Order.INFORMATIVE, limit=2).new == 2
    query = sa.select(PortraitFeatures.__table__).order_by(PortraitFeatures.portrait_id)
    with workspace.engine.begin() as connection:
        kept = connection.execute(query).all()
    assert [row.portrait_id for row in kept] == [each.portrait_id for each in masks(workspace)]
    bundled = parse_network(BUNDLED)
    assert {row.network for row in kept} == {bundled.recorded}
    seen = stored_features(workspace, bundled, [kept[0].portrait_id, 10**6])
    assert list(seen) == [kept[0].portrait_id]

    def looks(*_: object) -> None:
        raise AssertionError("looked at again")

    monkeypatch.setattr("pipelines.doubt.stored_features.features", looks)
    assert ask(order=Order.INFORMATIVE).new == 1
    # What another network saw is worth nothing.
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(PortraitFeatures).values(network="another"))
    with pytest.raises(AssertionError, match="looked at again"):
        stored_features(workspace, bundled, [kept[0].portrait_id])
