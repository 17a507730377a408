"""What a small crawl leaves in its workspace: funnel, lines and pictures."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import sqlalchemy as sa
from PIL import Image
from sqlalchemy.engine import Connection

from db import Mask, MaskSource, Verdict, open_engine
from pipelines.portraits.funnel import funnel
from pipelines.portraits.listing import PortraitLine, find_portrait, portrait_lines
from pipelines.portraits.picture import save_picture
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.settings import Settings
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import WorkspacePaths, database_url
from tests.conftest import ODD_NAME, Crawl

SETTINGS = Settings()


@pytest.fixture
def connection(ingested: Crawl, on_either: None) -> Iterator[Connection]:
    """A transaction that is rolled back, so that tests may write."""
    paths = WorkspacePaths(ingested.workspace)
    engine = open_engine(database_url(paths, load_settings(paths.root)))
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()
    engine.dispose()


@pytest.fixture
def store(ingested: Crawl) -> FolderStore:
    return FolderStore(ingested.workspace / "store", "test")


def by_name(connection: Connection, store: FolderStore) -> dict[str, PortraitLine]:
    return {Path(line.photo_path).name: line for line in portrait_lines(connection, store)}


def add_revision(connection: Connection, line: PortraitLine, verdict: Verdict, blob: str) -> None:
    values = {
        "portrait_id": line.portrait_id,
        "revision": 2,
        "source": MaskSource.HUMAN,
        "producer": "a person",
        "blob": blob,
        "verdict": verdict,
        "reasons": [],
        "scores": {},
    }
    connection.execute(sa.insert(Mask).values(values))


def test_the_funnel_accounts_for_every_file(connection: Connection) -> None:
    found = funnel(connection)
    images = found.photos
    assert (images.seen, images.duplicates, images.unread) == (7, 1, 0)
    assert (images.unique, images.with_portraits, images.no_face, images.failed) == (6, 3, 2, 1)
    assert images.seen == images.unique + images.duplicates + images.unread
    assert images.unique == images.with_portraits + images.no_face + images.failed
    assert found.failures == {"not_an_image": 1}
    assert found.portraits == sum(found.verdicts.values()) == 3
    assert set(found.verdicts) == set(map(str, Verdict))
    assert found.verdicts["rejected"] >= 1
    assert (found.reasons["no_face"], found.reasons["face_too_small"]) == (1, 1)
    assert found.reasons["blurry"] == 1
    assert list(found.reasons.values()) == sorted(found.reasons.values(), reverse=True)
    assert found.jobs["read"] == {"todo": 0, "doing": 0, "succeeded": 7, "failed": 0}
    assert found.jobs["detect"] == {"todo": 0, "doing": 0, "succeeded": 5, "failed": 1}
    assert found.jobs["label"]["succeeded"] == 3


def test_only_the_latest_mask_of_a_portrait_counts(
    connection: Connection, store: FolderStore
) -> None:
    before = funnel(connection)
    flat = by_name(connection, store)["flat.png"]
    assert flat.verdict == "rejected"
    assert flat.mask_path is not None
    add_revision(connection, flat, Verdict.CANDIDATE, "masks/00/00.png")
    after = funnel(connection)
    assert after.verdicts["rejected"] == before.verdicts["rejected"] - 1
    assert after.verdicts["candidate"] == before.verdicts["candidate"] + 1
    assert "blurry" not in after.reasons
    now = find_portrait(connection, store, flat.portrait_id)
    assert (now.verdict, now.mask_source, now.reasons) == ("candidate", "human", [])
    assert now.mask_path == str(store.root / "masks/00/00.png")
    rejected = portrait_lines(connection, store, [Verdict.REJECTED])
    assert flat.portrait_id not in {line.portrait_id for line in rejected}


def test_a_line_says_where_everything_is(
    connection: Connection, store: FolderStore, ingested: Crawl
) -> None:
    lines = list(portrait_lines(connection, store))
    assert [line.portrait_id for line in lines] == sorted(line.portrait_id for line in lines)
    named = by_name(connection, store)
    # Of two equal files the first in the order of names stands for both.
    assert set(named) == {"a_copy.jpg", "flat.png", ODD_NAME}
    line = named[ODD_NAME]
    assert line.photo_path == str(ingested.raw / ODD_NAME)
    data = (ingested.raw / ODD_NAME).read_bytes()
    assert line.photo_sha256 == hashlib.sha256(data).hexdigest()
    # The fake sees a face 133 high in the middle of 300 × 400: the crop is cut off below.
    assert line.crop_box == [0, 13, 300, 400]
    assert line.face_box == pytest.approx([96.67, 120, 203.33, 253.33], abs=0.01)
    assert line.mask_path is not None
    with Image.open(line.portrait_path) as crop, Image.open(line.mask_path) as mask:
        assert crop.size == mask.size == (300, 387)
        assert mask.mode == "1"
        assert mask.getpixel((150, 250)) == 255
        assert mask.getpixel((2, 2)) == 0
    assert line.mask_source == "teacher"
    assert 0.9 < line.scores["confidence"] <= 1


def test_a_portrait_without_a_mask_is_listed_as_pending(
    connection: Connection, store: FolderStore
) -> None:
    line = by_name(connection, store)["flat.png"]
    connection.execute(sa.delete(Mask).where(Mask.portrait_id == line.portrait_id))
    bare = find_portrait(connection, store, line.portrait_id)
    assert (bare.mask_path, bare.mask_source, bare.verdict) == (None, None, None)
    assert (bare.reasons, bare.scores) == ([], {})
    assert bare.portrait_path == line.portrait_path


def test_verdicts_part_the_portraits(connection: Connection, store: FolderStore) -> None:
    everything = {line.portrait_id: line.verdict for line in portrait_lines(connection, store)}
    parts = {
        line.portrait_id: verdict
        for verdict in Verdict
        for line in portrait_lines(connection, store, [verdict])
    }
    assert parts == everything


def test_no_such_portrait(connection: Connection, store: FolderStore) -> None:
    with pytest.raises(PipelineError, match="no portrait 999; `dataengine list` shows"):
        find_portrait(connection, store, 999)


def panel_colours(picture: Path) -> npt.NDArray[np.uint8]:
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB"))


def has_colour(pixels: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(pixels.astype(int) - colour).max(axis=2) < 30).any())


def test_a_picture_shows_image_crop_and_mask(
    connection: Connection, store: FolderStore, tmp_path: Path
) -> None:
    line = by_name(connection, store)["flat.png"]
    save_picture(line, tmp_path / "out.png", SETTINGS)
    pixels = panel_colours(tmp_path / "out.png")
    # Three panels 640 high: the image 480 wide, the crop and its mask 496 each.
    assert pixels.shape == (640 + 64 + 24, 480 + 496 + 496 + 48, 3)
    image, crop, mask = pixels[:, 12:492], pixels[:, 504:1000], pixels[:, 1012:1508]
    assert has_colour(image, (0, 200, 255))  # crop box
    assert has_colour(image, (255, 196, 0))  # face box
    assert not has_colour(crop[12:652], (0, 200, 255))
    assert has_colour(mask, (60, 255, 90))  # outline
    assert tuple(mask[400, 248]) == pytest.approx((90, 120, 150), abs=6)
    assert tuple(mask[20, 5]) == pytest.approx((22, 30, 37), abs=6)  # dimmed to a quarter


def test_a_picture_without_mask_and_without_its_image(
    connection: Connection, store: FolderStore, tmp_path: Path
) -> None:
    line = by_name(connection, store)["flat.png"]
    gone = replace(line, photo_uri=(tmp_path / "gone.jpg").as_uri(), mask_path=None, verdict=None)
    save_picture(gone, tmp_path / "out.jpg", SETTINGS)
    assert panel_colours(tmp_path / "out.jpg").shape == (728, 480 + 496 + 36, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.xyz", r"out\.xyz: unknown kind of picture; name it \.png or \.jpg"),
        ("out", "out: unknown kind of picture"),
        ("missing/out.png", "out.png: cannot be written"),
    ],
)
def test_a_picture_that_cannot_be_written(
    connection: Connection, store: FolderStore, tmp_path: Path, name: str, message: str
) -> None:
    line = by_name(connection, store)["flat.png"]
    with pytest.raises(PipelineError, match=message):
        save_picture(line, tmp_path / name, SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_blob_is_named(
    connection: Connection, store: FolderStore, tmp_path: Path
) -> None:
    line = by_name(connection, store)["flat.png"]
    broken = replace(line, mask_path=str(tmp_path / "mask.png"))
    with pytest.raises(PipelineError, match=r"mask\.png: this blob cannot be read"):
        save_picture(broken, tmp_path / "out.png", SETTINGS)
