"""What `ingest` promises, on each database and each store, of crawls here and in a bucket."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FAST_INGEST
from tests.crawls import photo
from tests.dataengine.conftest import Run
from tests.google import GoogleRoad
from tests.object_storage import road
from tests.object_storage import server as storage
from tests.postgres import server as postgres
from tests.snapshots import Snapshot, differences, snapshot

FILES = {f"sub/a b#{number}.jpg": photo(number) for number in range(5)} | {
    "copy.jpg": photo(1),
    "cut.jpg": photo(8)[:900],
    "page.jpg": b"<html>404 Not Found</html>",
}


class Place:
    """A crawl and a workspace somewhere."""

    def __init__(self, run: Run, crawl: Path, url: str | None, *init: str) -> None:
        self.run, self.folder, self.url = run, crawl, url
        self.bucket = url and url.rpartition("/")[2]
        self.root = crawl.parent / f"ws-{self.bucket or 'here'}"
        made = run("init", self.root, *init)
        assert made.code == 0, made.err
        for name, data in FILES.items():
            self.put(name, data)

    def put(self, name: str, data: bytes) -> None:
        """Write a file of the crawl, on either side."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)
        if self.bucket is not None:
            storage().client.put_object(Bucket=self.bucket, Key=f"crawl/{name}", Body=data)

    def ingest(self, *arguments: str) -> dict[str, Any]:
        """Take the crawl in; what the run told."""
        source = self.folder if self.url is None else f"{self.url}/crawl"
        told = self.run("-w", self.root, "ingest", source, *arguments, "--json")
        assert told.code == 0, told.err
        return dict(json.loads(told.out))["run"]


@pytest.fixture(
    params=[
        pytest.param((database, store), id=f"{database} {store}", marks=marks)
        for database, store, marks in (
            ("sqlite", "folder", ()),
            ("postgresql", "s3", ()),
            ("postgresql", "folder", pytest.mark.campaign),
            ("sqlite", "s3", pytest.mark.campaign),
            ("sqlite", "gs", ()),
        )
    ]
)
def place(
    request: pytest.FixtureRequest, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Of each kind."""
    database, store = request.param
    environment = {**FAST_INGEST, **storage().environment(), "XDG_CACHE_HOME": str(tmp_path / "c")}
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    options: list[str] = []
    with ExitStack() as stack:
        url = None
        if database == "postgresql":
            name = stack.enter_context(postgres().database(empty=True))
            options += ["--database", postgres().url(name)]
        if store == "gs":
            way = stack.enter_context(road(GoogleRoad))
            for key, value in way.environment.items():
                monkeypatch.setenv(key, value)
        if store != "folder":
            url = f"{store}://{stack.enter_context(storage().bucket())}"
            options += ["--store", f"{url}/ws"]
        yield Place(run, tmp_path / "crawl", url, *options)


def seen(place: Place) -> Snapshot:
    """Photos, boxes, masks and verdicts, which do not say where the files lie."""
    return {
        key: row
        for key, row in snapshot(place.root).items()
        if key[0] in ("image", "portrait", "mask")
    }


@pytest.fixture
def here(run: Run, tmp_path: Path) -> Place:
    """An undisturbed one on a SQLite file and a folder."""
    (tmp_path / "plain").mkdir()
    return Place(run, tmp_path / "plain" / "crawl", None)


def test_ingest_ends_as_in_a_file_and_a_folder(place: Place, here: Place) -> None:
    told, expected = place.ingest(), here.ingest()
    assert told["new"] == expected["new"] == len(FILES)
    assert told["duplicates"] == expected["duplicates"] == 1
    assert told["failures"] == expected["failures"] != {}
    assert differences(seen(place), seen(here)) == []
    assert {key[0] for key in seen(here)} == {"image", "portrait", "mask"}


def test_what_is_known_is_not_done_again_and_what_has_changed_is(place: Place) -> None:
    place.ingest()
    before = snapshot(place.root)
    again = place.ingest()
    assert (again["new"], again["changed"], again["known"]) == (0, 0, len(FILES))
    assert differences(snapshot(place.root), before) == []
    place.put("cut.jpg", photo(8))
    changed = place.ingest()
    assert (changed["new"], changed["changed"], changed["known"]) == (0, 1, len(FILES) - 1)
    assert "truncated" not in str(changed["failures"])
    assert differences(snapshot(place.root), before) != []


def test_only_what_failed_is_tried_again(place: Place) -> None:
    failures = place.ingest()["failures"]
    again = place.ingest("--retry-failed")
    assert again["retried"] == sum(failures.values())
    assert again["failures"] == failures


def test_a_copied_workspace_goes_on(place: Place, tmp_path: Path) -> None:
    place.ingest("--limit", "3")
    if place.url is None:
        place.root = Path(shutil.copytree(place.root, tmp_path / "moved"))
    told = place.ingest()
    assert told["new"] == len(FILES) - 3
    assert place.ingest()["new"] == 0
