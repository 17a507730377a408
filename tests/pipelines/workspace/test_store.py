"""A key names a whole blob or none, whatever goes wrong while it is written."""

import hashlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.store import BlobKind

# Larger than any buffer on its way to the disk.
BLOB = bytes(range(256)) * 4096

WRITER_THAT_DIES = """
import resource, signal, sys
from pathlib import Path
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.store import BlobKind

store = FolderStore(Path(sys.argv[1]), "dead")
store.put(BlobKind.MASK, b"small enough")
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; the default kills
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store.put(BlobKind.MASK, bytes(range(256)) * 4096)
"""


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to write beyond this size, as it would on a disk that becomes full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store", "host-1-ab")


@pytest.mark.parametrize(
    ("kind", "folder", "suffix"),
    [
        (BlobKind.PORTRAIT, "portraits", "jpg"),
        (BlobKind.MASK, "masks", "png"),
        (BlobKind.PROBABILITY, "probabilities", "png"),
    ],
)
def test_a_key_is_kind_and_content(
    store: FolderStore, kind: BlobKind, folder: str, suffix: str
) -> None:
    digest = hashlib.sha256(b"pixels").hexdigest()
    key = store.put(kind, b"pixels")
    assert key == f"{folder}/{digest[:2]}/{digest}.{suffix}"
    assert store.get(key) == b"pixels"
    assert files(store.root) == [store.local_path(key)]


def test_equal_content_is_written_once(store: FolderStore) -> None:
    key = store.put(BlobKind.MASK, BLOB)
    os.utime(store.local_path(key), (1, 1))
    before = store.local_path(key).stat()
    assert store.put(BlobKind.MASK, BLOB) == key
    after = store.local_path(key).stat()
    assert after.st_ino == before.st_ino
    assert after.st_mtime > 1, "touched: it is needed, though its row is not there yet"


def test_a_blob_of_the_wrong_length_is_written_again(store: FolderStore) -> None:
    key = store.put(BlobKind.MASK, BLOB)
    store.local_path(key).write_bytes(BLOB[:1000])
    with pytest.raises(WorkspaceError, match="damaged"):
        store.get(key)
    store.put(BlobKind.MASK, BLOB)
    assert store.get(key) == BLOB


def test_a_missing_blob_is_named(store: FolderStore) -> None:
    key = store.put(BlobKind.MASK, b"x")
    store.local_path(key).unlink()
    with pytest.raises(WorkspaceError, match=f"{store.local_path(key)}: .* cannot be read"):
        store.get(key)


@pytest.mark.parametrize("key", ["../secret", "masks/../../secret", "/etc/passwd"])
def test_no_key_leads_out_of_the_store(store: FolderStore, key: str) -> None:
    with pytest.raises(WorkspaceError, match="not a key"):
        store.local_path(key)


def test_a_write_that_breaks_off_leaves_nothing(store: FolderStore) -> None:
    with largest_file(len(BLOB) // 2), pytest.raises(WorkspaceError, match="cannot be written"):
        store.put(BlobKind.MASK, BLOB)
    assert files(store.root) == []
    assert store.get(store.put(BlobKind.MASK, BLOB)) == BLOB


def test_a_full_disk_is_called_so_and_leaves_nothing(store: FolderStore) -> None:
    (store.root / "tmp").mkdir(parents=True)
    (store.root / "tmp" / "host-1-ab.0").symlink_to("/dev/full")
    with pytest.raises(WorkspaceError, match="no space left on the disk; free some") as caught:
        store.put(BlobKind.MASK, BLOB)
    assert str(store.root) in str(caught.value)
    assert list((store.root / "tmp").iterdir()) == []
    assert not (store.root / "masks").exists()


def test_a_killed_writer_leaves_only_what_can_be_cleared_away(store: FolderStore) -> None:
    command = [sys.executable, "-c", WRITER_THAT_DIES, str(store.root)]
    died = subprocess.run(command, capture_output=True, check=False)
    assert died.returncode == -signal.SIGXFSZ, died.stderr
    (half,) = files(store.root / "tmp")
    assert 0 < half.stat().st_size <= 100_000
    (whole,) = files(store.root / "masks")
    assert whole.read_bytes() == b"small enough"

    mine = store.root / "tmp" / "host-1-ab.7"
    mine.write_bytes(b"being written")
    store.discard_temporaries("dead")
    assert files(store.root / "tmp") == [mine]


def test_a_blob_that_is_aside_for_a_moment_is_read_all_the_same(store: FolderStore) -> None:
    """As while `remove` looks at its time and puts it back."""
    key = store.put(BlobKind.MASK, b"mask")
    aside = store.root / "aside"
    store.local_path(key).rename(aside)
    timer = threading.Timer(0.05, aside.rename, [store.local_path(key)])
    timer.start()
    assert store.get(key) == b"mask"
    timer.join()


def test_what_is_asked_for_is_not_moved_by_remove(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.put(BlobKind.MASK, b"mask")
    before = str(store.version(key))
    store.put(BlobKind.MASK, b"mask")
    monkeypatch.setattr(Path, "rename", lambda *_: pytest.fail("moved"))
    assert store.remove(key, before) is None
    monkeypatch.undo()
    assert store.remove(key, str(store.version(key))) == 4


def test_a_put_is_seen_whatever_the_clock_says(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.put(BlobKind.MASK, b"mask")
    monkeypatch.setattr(time, "time_ns", lambda: 10**9)  # 1970
    seen = {store.version(key)}
    for _ in range(3):
        store.put(BlobKind.MASK, b"mask")
        seen.add(store.version(key))
    assert len(seen) == 4


def test_a_kill_between_look_and_removal_loses_nothing(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.put(BlobKind.MASK, b"mask")
    other = FolderStore(store.root, "other.example.org-1-ab")
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: exec("raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        other.remove(key, str(store.version(key)))
    monkeypatch.undo()
    assert list(store.keys()) == []
    assert [each.owner for each in store.temporaries()] == ["other.example.org-1-ab"]
    store.discard_temporaries("other.example.org-1-ab")
    assert store.get(key) == b"mask"
    assert store.temporaries() == []


@pytest.mark.parametrize("link", [False, True])
def test_a_copy_is_checked_and_never_overwrites(
    store: FolderStore, tmp_path: Path, link: bool
) -> None:
    key = store.put(BlobKind.MASK, BLOB)
    store.copy(key, tmp_path / "copy.png", link=link)
    assert (tmp_path / "copy.png").read_bytes() == BLOB
    assert (tmp_path / "copy.png").samefile(store.local_path(key)) is link
    with pytest.raises(FileExistsError):
        store.copy(key, tmp_path / "copy.png", link=link)
    store.local_path(key).write_bytes(b"other")
    with pytest.raises(WorkspaceError, match="damaged"):
        store.copy(key, tmp_path / "another.png", link=link)
    store.local_path(key).unlink()
    with pytest.raises(WorkspaceError, match="a blob that the database names"):
        store.copy(key, tmp_path / "another.png", link=link)
