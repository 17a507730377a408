"""Nothing but the store knows where blobs are: all works on one that is in no folder."""

import pytest

from pipelines.label_studio.crops import image_url
from pipelines.label_studio.errors import ReviewError
from pipelines.lineage.collecting import CollectRequest, collect_garbage
from pipelines.lineage.repairing import repair_workspace
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.portraits.listing import list_portraits
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.fake import FakeStore
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace


@pytest.fixture
def fake(workspace: Workspace) -> FakeStore:
    """The workspace's blobs, moved away from the disk."""
    store = FakeStore()
    keys = list(workspace.store.keys())
    for key in keys:
        store.put(BlobKind(key.split("/")[0]), workspace.store.get(key))
        workspace.store.local_path(key).unlink()
    workspace.store = store
    return store


def test_portraits_are_listed(workspace: Workspace, fake: FakeStore) -> None:
    lines = list(list_portraits(workspace))
    assert {line.portrait_path.partition("portraits/")[0] for line in lines} == {"memory://"}


def test_what_is_wrong_is_found_and_made_again(workspace: Workspace, fake: FakeStore) -> None:
    assert verify_workspace(workspace, VerifyRequest()).ok
    keys = sorted(fake.keys())
    fake.lose(keys[0])
    fake.damage(keys[-1])
    report = verify_workspace(workspace, VerifyRequest())
    assert sorted(report.broken_blobs) == [keys[0], keys[-1]]
    assert all("memory://" in each.message for each in report.problems)
    report = repair_workspace(workspace)
    assert (report.ok, report.repaired) == (True, 2)
    assert sorted(fake.keys()) == keys


def test_garbage_is_collected(workspace: Workspace, fake: FakeStore) -> None:
    before = set(fake.keys())
    fake.put(BlobKind.MASK, b"nobody's")
    assert collect_garbage(workspace, CollectRequest(yes=True)).blobs == 1
    assert set(fake.keys()) == before


def test_what_is_full_says_so(workspace: Workspace, fake: FakeStore) -> None:
    fake.lose(next(iter(sorted(fake.keys()))))
    fake.room = 10
    with pytest.raises(WorkspaceError, match="no space left on the disk; free some"):
        repair_workspace(workspace)


def test_a_server_cannot_be_shown_what_is_in_no_folder(
    workspace: Workspace, fake: FakeStore
) -> None:
    keys = sorted(fake.keys(), reverse=True)
    with pytest.raises(ReviewError, match="in no folder that a server could read"):
        image_url(workspace, "http://localhost", keys[0])
