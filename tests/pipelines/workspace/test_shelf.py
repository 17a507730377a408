"""Shelves: files that are whole or not there, in a folder and in a bucket alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.settings import Settings, StoreSettings
from pipelines.workspace.shelf import FolderShelf, Shelf, shelf_of
from tests.object_storage import server as storage


@pytest.fixture(params=["folder", "bucket"])
def shelf(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shelf]:
    if request.param == "folder":
        yield shelf_of(tmp_path, Settings(), "things")
        return
    for key, value in storage().environment().items():
        monkeypatch.setenv(key, value)
    with storage().bucket() as bucket:
        yield shelf_of(tmp_path, Settings(store=StoreSettings(url=f"s3://{bucket}/ws")), "things")


def test_a_file_is_made_once(shelf: Shelf) -> None:
    assert list(shelf.names()) == []
    assert shelf.read("a.parquet") is None
    assert shelf.create("a.parquet", b"first")
    assert not shelf.create("a.parquet", b"second")
    assert shelf.read("a.parquet") == b"first"
    assert list(shelf.names()) == ["a.parquet"]


def test_what_is_removed_can_be_made_again(shelf: Shelf) -> None:
    shelf.remove("a")
    shelf.create("a", b"first")
    shelf.remove("a")
    assert shelf.create("a", b"second")
    assert shelf.read("a") == b"second"


def test_what_was_being_written_is_no_file(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    shelf.create("a", b"whole")
    (tmp_path / ".cut").write_bytes(b"off")
    assert list(shelf.names()) == ["a"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(WorkspaceError, match="cache"):
        shelf_of(tmp_path, Settings(), "things").create("a", b"")
