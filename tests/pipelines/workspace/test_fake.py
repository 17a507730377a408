"""The store in memory does what the one in a folder does, until it is told to fail."""

from pathlib import Path

import pytest

from pipelines.workspace.blob_cache import BlobCache
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.fake import FakeStore
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.object_places import parse_place
from pipelines.workspace.object_store import ObjectStore
from pipelines.workspace.store import BlobKind, Store


@pytest.fixture(params=["folder", "fake", "s3", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        place = parse_place(request.getfixturevalue("s3_folder"))
        return ObjectStore(place, "a-1-b", cache=BlobCache(tmp_path / "cache", 10**6))
    if request.param == "fsspec":
        return ObjectStore(parse_place(f"memory://{tmp_path}"), "a-1-b")
    return FakeStore() if request.param == "fake" else FolderStore(tmp_path / "store", "a-1-b")


def remove(store: Store, key: str, version: str, *, wanted: bool = False) -> int | None:
    """Bytes freed; None: it stayed, since it was put again, or is not there."""
    return store.remove_all({key: version}, lambda keys: set(keys) if wanted else set()).get(key)


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
    assert remove(store, first, before, wanted=True) is None, "it was put again"
    assert store.get(first) == b"pixels"
    assert remove(store, first, str(store.version(first))) == 6
    assert store.version(first) is None
    assert remove(store, first, before) is None
    assert store.sha256(first) == (None, 0)
    for read in (store.get, store.size):
        with pytest.raises(WorkspaceError, match="a blob that the database names cannot be read"):
            read(first)
    assert store.get(second) == b"pixels"
    assert store.temporaries() == []
    for ask in (store.get, store.size, store.where, store.sha256, store.version, store.local_path):
        with pytest.raises(WorkspaceError, match="not a key"):
            ask("masks/../../secret")


def test_a_damaged_blob_is_written_anew_when_asked(store: Store) -> None:
    key = store.put(BlobKind.MASK, b"pixels")
    assert store.put(BlobKind.MASK, b"pixels", anew=True) == key
    assert store.get(key) == b"pixels"


def test_whose_it_is(store: Store) -> None:
    assert store.identity() is None
    is_marked = isinstance(store, FolderStore)
    assert store.token() == ("folder" if is_marked else None)
    store.identify("workspace")
    assert store.identity() == "workspace"
    token = store.mark("first")
    assert token == ("folder" if is_marked else "first")
    assert store.mark("second") == store.token() == token
    assert list(store.keys()) == store.temporaries() == []


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
