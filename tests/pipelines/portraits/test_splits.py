"""What photos are used for: by hash, by group, for ever."""

from collections import Counter

import numpy as np
import pytest
import sqlalchemy as sa

from db import Image, Split, reader
from pipelines.portraits.splits import Placed, assign_splits, places, split_of
from pipelines.workspace.settings import ReleaseSettings
from pipelines.workspace.workspace import Workspace
from tests.pipelines.portraits.conftest import COUNT, place


@pytest.fixture(autouse=True)
def _no_grouper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups are as the tests make them."""
    monkeypatch.setattr(
        "pipelines.portraits.near_groups.changed_groups", lambda *_: np.empty((0, 2), np.int64)
    )


def placed(workspace: Workspace) -> dict[int, Placed]:
    with reader(workspace.engine).begin() as connection:
        return places(connection)


def assign(workspace: Workspace, **shares: float) -> dict[int, Placed]:
    with workspace.engine.begin() as connection:
        alone = sa.update(Image).where(Image.group_id.is_(None)).values(group_id=Image.id)
        connection.execute(alone)
    release = ReleaseSettings(**shares)
    workspace.settings = workspace.settings.model_copy(update={"release": release})
    assign_splits(workspace)
    return placed(workspace)


def join(workspace: Workspace, *image_ids: int) -> None:
    """Make photos one group, as the grouper would."""
    with workspace.engine.begin() as connection:
        update = sa.update(Image).where(Image.id.in_(image_ids))
        connection.execute(update.values(group_id=min(image_ids)))


def test_the_shares_are_kept() -> None:
    settings = ReleaseSettings(test_share=0.1, val_share=0.2)
    counts = Counter(split_of(f"{number:064x}", settings) for number in range(10_000))
    assert abs(counts[Split.TEST] - 1000) < 100
    assert abs(counts[Split.VAL] - 2000) < 150


def test_every_photo_with_a_portrait_has_its_place(workspace: Workspace) -> None:
    assert len(assign(workspace)) == COUNT


def test_a_split_never_changes(workspace: Workspace) -> None:
    before = assign(workspace, test_share=0.3)
    assert assign(workspace, test_share=0.0) == before
    assert Split.TEST in {each.split for each in before.values()}


def test_a_group_has_one_split(workspace: Workspace) -> None:
    for first in range(1, COUNT, 4):
        join(workspace, *range(first, first + 4))
    found = assign(workspace, test_share=0.4)
    splits = {each.group_id: each.split for each in found.values()}
    assert all(each.split is splits[each.group_id] for each in found.values())
    assert not any(each.left_out for each in found.values())


def test_a_newcomer_gets_the_split_of_its_group(workspace: Workspace) -> None:
    place(workspace, {1: Split.TEST})
    join(workspace, 1, 2)
    found = assign(workspace, test_share=0.0, val_share=0.0)
    assert found[2].split is Split.TEST
    assert not found[2].left_out


def test_when_groups_turn_out_to_be_one_the_stricter_split_stays(workspace: Workspace) -> None:
    place(workspace, {1: Split.TRAIN, 2: Split.TEST, 3: None, 4: Split.VAL})
    join(workspace, 1, 2, 3, 4)
    found = assign(workspace, test_share=0.0, val_share=0.0)
    assert {key: found[key].split for key in (1, 2, 3, 4)} == {
        1: Split.TRAIN, 2: Split.TEST, 3: Split.TEST, 4: Split.VAL,
    }  # fmt: skip
    assert {key for key in (1, 2, 3, 4) if found[key].left_out} == {1, 4}
