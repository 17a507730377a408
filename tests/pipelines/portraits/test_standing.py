"""Which masks are trusted, and which become the released ones."""

import pytest
import sqlalchemy as sa

from db import MaskSource, Portrait, Split, Trust, reader
from pipelines.portraits.splits import assign_splits
from pipelines.portraits.standing import MinSource, standings
from pipelines.releases.selection import select
from pipelines.workspace.settings import PolicySettings
from pipelines.workspace.workspace import Workspace
from tests.pipelines.portraits.conftest import COUNT, Decide, certify, mask_ids, place
from tests.pipelines.review.conftest import add_revision, stroke


def trusted(workspace: Workspace, min_source: MinSource = MinSource.ANY) -> dict[int, Trust]:
    with reader(workspace.engine).begin() as connection:
        found = standings(connection, min_source)
    return {key: each.trusted.trust for key, each in found.items() if each.trusted}


def size(workspace: Workspace, portrait_id: int) -> tuple[int, int]:
    with reader(workspace.engine).begin() as connection:
        query = sa.select(Portrait.width, Portrait.height).where(Portrait.id == portrait_id)
        width, height = connection.execute(query).one()
    return width, height


def released(workspace: Workspace, min_source: MinSource = MinSource.ANY) -> set[int]:
    with reader(workspace.engine).begin() as connection:
        found = select(connection, min_source, PolicySettings(), folder=workspace.paths.root)
    return {entry.portrait_id for entry in found.entries}


def test_what_nobody_decided_about_is_not_trusted(workspace: Workspace) -> None:
    assert trusted(workspace) == {}


def test_people_accept_reject_and_fix(workspace: Workspace, decide: Decide) -> None:
    decide({1: "accept", 2: "reject"})
    decide({3: "fix"}, regions=[stroke(*size(workspace, 3))])
    assert trusted(workspace) == {1: Trust.ACCEPTED, 3: Trust.FIXED}
    with reader(workspace.engine).begin() as connection:
        fixed = standings(connection, MinSource.ANY)[3].trusted
    assert fixed is not None
    assert fixed.mask_id == mask_ids(workspace)[3], "the mask that was drawn, not the one shown"


def test_a_disagreement_is_not_trusted_until_a_third_decides(
    workspace: Workspace, decide: Decide
) -> None:
    decide({1: "accept"}, "ann@example.org")
    decide({1: "reject"}, "bob@example.org")
    assert trusted(workspace) == {}
    decide({1: "accept"}, "cem@example.org")
    assert trusted(workspace) == {1: Trust.ACCEPTED}


def test_a_later_proposal_does_not_displace_an_accepted_mask(
    workspace: Workspace, decide: Decide
) -> None:
    accepted = mask_ids(workspace)[1]
    decide({1: "accept"})
    add_revision(workspace, 1, MaskSource.STUDENT)
    with reader(workspace.engine).begin() as connection:
        found = standings(connection, MinSource.ANY)[1].trusted
    assert found is not None
    assert found.mask_id == accepted


def test_a_certificate_counts_until_a_person_looks(workspace: Workspace, decide: Decide) -> None:
    ids = mask_ids(workspace)
    for portrait_id in (1, 2, 3):
        certify(workspace, ids[portrait_id])
    assert trusted(workspace) == dict.fromkeys((1, 2, 3), Trust.CERTIFIED)


def test_a_person_outvotes_a_certificate(workspace: Workspace, decide: Decide) -> None:
    decide({1: "reject", 2: "accept"})
    ids = mask_ids(workspace)
    certify(workspace, ids[1])
    certify(workspace, ids[2])
    assert trusted(workspace) == {2: Trust.ACCEPTED}


@pytest.mark.parametrize(
    ("min_source", "expected"),
    [
        (MinSource.HUMAN, {1}),
        (MinSource.CERTIFIED, {1, 2}),
        (MinSource.ANY, {1, 2, 3}),
    ],
)
def test_the_least_that_is_asked(
    workspace: Workspace, decide: Decide, min_source: MinSource, expected: set[int]
) -> None:
    decide({1: "accept"})
    certify(workspace, mask_ids(workspace)[2])
    add_revision(workspace, 3, MaskSource.IMPORT)
    assert set(trusted(workspace, min_source)) == expected


def test_only_people_decide_what_stands_in_test(workspace: Workspace, decide: Decide) -> None:
    decide({1: "accept", 2: "reject"})
    certify(workspace, mask_ids(workspace)[3])
    certify(workspace, mask_ids(workspace)[9])
    place(workspace, dict.fromkeys((1, 2, 3, 4), Split.TEST))
    place(workspace, dict.fromkeys(range(5, COUNT + 1), Split.TRAIN))
    assert released(workspace) == {1, 9}
    with reader(workspace.engine).begin() as connection:
        folder = workspace.paths.root
        found = select(connection, MinSource.ANY, PolicySettings(), folder=folder)
    assert found.test.as_dict() == {
        "portraits": 4, "released": 1, "rejected": 1, "unseen": 2, "undecided": 0,
    }  # fmt: skip


def test_nothing_is_released_before_its_split_is_decided(
    workspace: Workspace, decide: Decide
) -> None:
    certify(workspace, mask_ids(workspace)[1])
    assert released(workspace) == set()
    assign_splits(workspace)
    place(workspace, {1: Split.TRAIN})
    assert released(workspace) == {1}
