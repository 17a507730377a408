"""The store in memory does what the one in a folder does, until it is told to fail."""

from pathlib import Path

import pytest

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.fake import FakeStore
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.store import BlobKind, Store


@pytest.fixture(params=["folder", "fake"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FakeStore() if request.param == "fake" else FolderStore(tmp_path / "store", "a-1-b")


def test_stores_agree(store: Store, tmp_path: Path) -> None:
    keys = [store.put(kind, b"pixels") for kind in BlobKind]
    assert sorted(store.keys()) == sorted(keys)
    for key in keys:
        assert store.get(key) == b"pixels"
        assert store.size(key) == 6
        assert store.sha256(key) == (key.rpartition("/")[2].partition(".")[0], 6)
        assert store.where(key).endswith(key)
    first, second, _ = keys
    store.copy(first, tmp_path / "copy", link=True)
    assert (tmp_path / "copy").read_bytes() == b"pixels"
    with pytest.raises(FileExistsError):
        store.copy(first, tmp_path / "copy")
    before = str(store.version(first))
    assert store.put(BlobKind.PORTRAIT, b"pixels") == first
    assert store.remove(first, before) is None, "it was put again"
    assert store.remove(first, str(store.version(first))) == 6
    assert store.version(first) is None
    assert store.remove(first, before) is None
    assert store.sha256(first) == (None, 0)
    for read in (store.get, store.size):
        with pytest.raises(WorkspaceError, match="a blob that the database names cannot be read"):
            read(first)
    assert store.get(second) == b"pixels"
    assert store.temporaries() == []
    for ask in (store.get, store.size, store.where, store.sha256, store.version, store.local_path):
        with pytest.raises(WorkspaceError, match="not a key"):
            ask("masks/../../secret")


def test_it_fails_on_demand() -> None:
    store = FakeStore(room=10)
    key = store.put(BlobKind.MASK, b"12345")
    assert store.put(BlobKind.MASK, b"12345") == key, "takes no more room"
    with pytest.raises(WorkspaceError, match="no space left on the disk; free some"):
        store.put(BlobKind.MASK, b"123456")
    store.damage(key)
    with pytest.raises(WorkspaceError, match="damaged"):
        store.get(key)
    assert store.sha256(key)[0] != key.rpartition("/")[2].partition(".")[0]
    store.lose(key)
    with pytest.raises(WorkspaceError, match="cannot be read"):
        store.get(key)
