"""The test split is asked about by chance alone, whatever the order and the verdicts."""

import sqlalchemy as sa

from db import Image, Mask, Split, Verdict, reader
from pipelines.portraits.proposals import Proposal, proposals
from pipelines.workspace.workspace import Workspace
from tests.pipelines.portraits.conftest import COUNT, place


def found(workspace: Workspace, *verdicts: Verdict) -> dict[int, Proposal]:
    with reader(workspace.engine).begin() as connection:
        return {each.portrait_id: each for each in proposals(connection, verdicts)}


def judge(workspace: Workspace, verdicts: dict[int, Verdict]) -> None:
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(Mask).values(verdict=Verdict.REVIEW))
        for portrait_id, verdict in verdicts.items():
            update = sa.update(Mask).where(Mask.portrait_id == portrait_id)
            connection.execute(update.values(verdict=verdict))


def test_of_the_test_split_masks_of_every_verdict_are_asked_about(workspace: Workspace) -> None:
    place(workspace, dict.fromkeys(range(1, COUNT + 1), Split.TRAIN))
    place(workspace, {1: Split.TEST, 2: Split.TEST})
    judge(workspace, {1: Verdict.REJECTED, 3: Verdict.REJECTED, 4: Verdict.CANDIDATE})
    asked = found(workspace, Verdict.CANDIDATE)
    assert set(asked) == {1, 2, 4}
    assert {key for key, each in asked.items() if each.in_test} == {1, 2}


def test_what_no_release_will_hold_is_not_asked_about(workspace: Workspace) -> None:
    place(workspace, dict.fromkeys(range(1, COUNT + 1), Split.TRAIN))
    place(workspace, {1: Split.TEST})
    with workspace.engine.begin() as connection:
        joined = sa.update(Image).where(Image.id.in_((1, 2))).values(group_id=1)
        connection.execute(joined)
    assert 2 not in found(workspace, *Verdict)
    assert 1 in found(workspace, *Verdict)
