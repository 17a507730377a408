"""A copy of a forgotten photo is refused on return; the operator sees it and may let it in."""

import json
import shutil
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import sqlalchemy as sa
from PIL import Image as PillowImage

from db import Image, Portrait
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from tests.dataengine.conftest import Run
from tests.dataengine.conftest import run as run
from tests.pipelines.ingest.conftest import Ingest
from tests.pipelines.ingest.conftest import ingest_here as ingest_here
from tests.pipelines.lineage.conftest import digest, open_workspace

Rgb = npt.NDArray[np.uint8]


@pytest.fixture
def crawl(tmp_path: Path, astronaut: Rgb) -> Path:
    """A photo, and next door what became of it elsewhere, and a stranger."""
    folder = tmp_path / "crawl"
    copies = tmp_path / "copies"
    folder.mkdir()
    copies.mkdir()
    PillowImage.fromarray(astronaut).save(folder / "photo.png")
    PillowImage.fromarray(astronaut).save(copies / "encoded.jpg", quality=60)
    small = PillowImage.fromarray(cv2.resize(astronaut, (300, 280), interpolation=cv2.INTER_AREA))
    small.save(copies / "resized.webp")
    PillowImage.fromarray(astronaut[20:, 5:-20]).save(copies / "cropped.png")
    PillowImage.fromarray(astronaut[:, ::-1]).save(copies / "mirrored.png")
    PillowImage.fromarray(astronaut[::-1]).save(copies / "stranger.png")
    return folder


def forgotten(run: Run, ingest: Ingest, root: Path, crawl: Path) -> None:
    ingest(root, crawl)
    answer = run("-w", root, "forget", crawl / "photo.png", "--yes")
    assert (answer.code, answer.err) == (0, "")
    assert "will not be known" not in answer.out


def test_copies_are_refused_shown_and_let_in(
    run: Run, ingest_here: Ingest, crawl: Path, tmp_path: Path
) -> None:
    root, copies = tmp_path / "workspace", tmp_path / "copies"
    forgotten(run, ingest_here, root, crawl)
    result = ingest_here(root, copies)
    assert result["status"]["failures"] == {"like_forgotten": 4}
    opened = open_workspace(root)
    with opened.engine.begin() as connection:
        decoded = sa.select(Image.sha256).where(Image.descriptor.is_not(None))
        assert list(connection.scalars(decoded)) == [digest(copies / "stranger.png")]
        assert len(list(connection.scalars(sa.select(Portrait.id)))) == 1
    crops = list((opened.paths.store / "portraits").rglob("*.jpg"))
    assert len(crops) == 1, "nothing of a copy was stored"
    assert verify_workspace(opened, VerifyRequest()).ok
    opened.close()

    shown = run("-w", root, "forget", "--refused")
    assert shown.code == 0
    assert shown.out.count("looks like a copy of the photo that was forgotten on 20") == 4
    assert "4 files refused" in shown.out
    listed = json.loads(run("-w", root, "forget", "--refused", "--json").out)
    assert {Path(each["path"]).name for each in listed} == {
        "encoded.jpg", "resized.webp", "cropped.png", "mirrored.png",
    }  # fmt: skip

    wrong = run("-w", root, "forget", "--lift", copies / "stranger.png")
    assert (wrong.code, "nothing with these bytes was refused" in wrong.err) == (1, True)
    lifted = run("-w", root, "forget", "--lift", copies / "cropped.png")
    assert (lifted.code, "Let 1 file in" in lifted.out) == (0, True)
    again = ingest_here(root, "--retry-failed")
    assert again["status"]["failures"] == {"like_forgotten": 3}
    assert again["status"]["portraits"] == 2
    assert "3 files refused" in run("-w", root, "forget", "--refused").out


def test_the_photo_itself_may_be_let_in_and_forgotten_again(
    run: Run, ingest_here: Ingest, crawl: Path, tmp_path: Path
) -> None:
    root, photo = tmp_path / "workspace", crawl / "photo.png"
    forgotten(run, ingest_here, root, crawl)
    assert ingest_here(root, crawl)["status"]["failures"] == {"forgotten": 1}
    assert "photo.png: this photo was forgotten" in run("-w", root, "forget", "--refused").out
    assert run("-w", root, "forget", "--lift", digest(photo)).code == 0
    assert ingest_here(root, "--retry-failed")["status"]["failures"] == {}
    opened = open_workspace(root)
    assert verify_workspace(opened, VerifyRequest()).ok, "it is here by the operator's will"
    opened.close()
    assert run("-w", root, "forget", photo, "--yes").code == 0
    assert ingest_here(root, crawl)["status"]["failures"] == {"forgotten": 1}


def test_nothing_of_a_forgotten_photo_stays_in_the_database(
    run: Run, ingest_here: Ingest, crawl: Path, tmp_path: Path
) -> None:
    root = tmp_path / "workspace"
    shutil.move(crawl / "photo.png", crawl / "Jane Roe at the beach.png")
    ingest_here(root, crawl)
    database = root / "dataengine.db"
    with sqlite3.connect(database) as connection:
        (picture,) = connection.execute("SELECT descriptor FROM image").fetchone()
    assert picture[:100] in database.read_bytes()
    run("-w", root, "forget", crawl / "Jane Roe at the beach.png", "--yes")
    left = b"".join(file.read_bytes() for file in root.glob("dataengine.db*"))
    assert picture[:100] not in left
    assert b"Jane%20Roe" not in left


def test_a_picture_of_nothing_is_known_by_its_bytes_alone(
    run: Run, ingest_here: Ingest, tmp_path: Path
) -> None:
    root, crawl = tmp_path / "workspace", tmp_path / "crawl"
    crawl.mkdir()
    PillowImage.new("RGB", (300, 400), (90, 120, 150)).save(crawl / "wall.png")
    ingest_here(root, crawl)
    answer = run("-w", root, "forget", crawl / "wall.png", "--yes")
    assert "copies of 1 photo will not be known, only the very bytes" in answer.out
    PillowImage.new("RGB", (300, 400), (90, 120, 151)).save(crawl / "another.png")
    assert ingest_here(root, crawl)["status"]["failures"] == {"forgotten": 1}
