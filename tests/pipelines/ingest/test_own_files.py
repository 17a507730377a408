"""No workspace and no release is ever part of a crawl, wherever it lies and however it is named."""

import json
import os
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from pipelines.ingest.scan import ScanSummary, scan
from pipelines.workspace.uris import uri_path
from tests.conftest import FAST_INGEST, Crawl
from tests.dataengine.conftest import Run
from tests.dataengine.conftest import run as run


@pytest.fixture
def photos(ingested: Crawl, tmp_path: Path) -> Path:
    """A folder of two photos that somebody made a workspace in, with a release in it."""
    folder = tmp_path / "photos"
    shutil.copytree(ingested.workspace, folder)
    shutil.copy(ingested.raw / "sharp.jpg", folder / "one.jpg")
    (folder / "more").mkdir()
    shutil.copy(ingested.raw / "flat.png", folder / "more/two.png")
    release = folder / "more/export"
    (release / "images").mkdir(parents=True)
    shutil.copy(ingested.raw / "sharp.jpg", release / "images/a.jpg")
    for name in ("checksums.txt", "manifest.jsonl", "card.md"):
        (release / name).touch()
    return folder


def found(*paths: Path) -> tuple[list[str], Counter[str]]:
    summary = ScanSummary()
    names = [os.path.relpath(uri_path(file.uri), paths[0]) for file in scan(paths, summary)]
    return sorted(names), summary.ignored


def test_a_workspace_within_the_photos_is_left_out(photos: Path) -> None:
    (photos / "dataengine.jpg").write_bytes(b"no photo")
    names, ignored = found(photos)
    assert names == ["more/two.png", "one.jpg"]
    assert ignored["workspace"] == 3, "store, locks and a file"
    assert ignored["release"] == 1


def test_again_and_again_the_same(photos: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    shutil.rmtree(photos / "store")
    for path in photos.glob("dataengine.*"):
        path.unlink()
    shutil.rmtree(photos / "locks")
    shutil.rmtree(photos / "more/export")
    monkeypatch.chdir(photos)
    first = run("ingest", ".", "--json")
    assert first.code == 0, first.err
    listed = run("list", "--json").out
    assert len(json.loads(listed)) == 2
    for _ in range(2):
        again = run("ingest", ".", "--json")
        assert '"new": 0' in again.out
        assert run("list", "--json").out == listed


@pytest.mark.parametrize(
    "inner", ["store", "store/portraits", "locks", "more/export", "more/export/images"]
)
def test_asking_for_it_by_name_does_not_help(photos: Path, inner: str, tmp_path: Path) -> None:
    assert found(photos / inner)[0] == []
    link = tmp_path / "link"
    link.symlink_to(photos / inner)
    assert found(link)[0] == []
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl/link").symlink_to(photos / inner)
    assert found(tmp_path / "crawl")[0] == []


def test_single_files_and_lists(photos: Path, tmp_path: Path) -> None:
    crop = next((photos / "store/portraits").rglob("*.jpg"))
    names, ignored = found(crop)
    assert (names, ignored["workspace"]) == ([], 1)
    paths = [crop, photos / "more/export/images/a.jpg", photos / "one.jpg"]
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in paths))
    summary = ScanSummary()
    (only,) = scan([tmp_path / "list.txt"], summary)
    assert only.uri == (photos / "one.jpg").as_uri()
    assert (summary.ignored["workspace"], summary.ignored["release"]) == (1, 1)
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl/crop.jpg").symlink_to(crop)
    assert found(tmp_path / "crawl")[0] == []


@pytest.mark.parametrize("top", ["", "photos"])
def test_an_archive_of_it(photos: Path, tmp_path: Path, top: str) -> None:
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(photos, arcname=top)
    summary = ScanSummary()
    names = [file.uri.rpartition("#")[2] for file in scan([tmp_path / "all.tar"], summary)]
    start = f"{top}/" if top else ""
    assert sorted(names) == [f"{start}more/two.png", f"{start}one.jpg"]
    assert summary.ignored["workspace"] > 3
    assert summary.ignored["release"] == 4


def test_a_store_that_was_copied_alone(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos / "store", tmp_path / "elsewhere/blobs")
    assert found(tmp_path / "elsewhere")[0] == []
    (tmp_path / "crawl/store").mkdir(parents=True)
    shutil.copy(photos / "one.jpg", tmp_path / "crawl/store/one.jpg")
    assert found(tmp_path / "crawl")[0] == ["store/one.jpg"], "a shop's photos"
