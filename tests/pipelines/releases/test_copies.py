"""Planted copies of photos never cross splits, whenever they come."""

import random
from collections import defaultdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image, ImageOps
from typer.testing import CliRunner

from dataengine.cli import app
from db import Image as ImageRow
from db import Source, Split, reader
from pipelines.portraits.splits import Placed, assign_splits, places
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST

PHOTOS, COPIES = 100, 200


def copy(photo: Image.Image, number: int) -> tuple[Image.Image, int]:
    """A copy of one of five kinds, and its JPEG quality."""
    rng = random.Random(number)
    width, height = photo.size
    match number % 5:
        case 0:
            scale = rng.uniform(0.5, 1.5)
            return photo.resize((round(width * scale), round(height * scale))), 90
        case 1:
            return photo, rng.randint(40, 80)
        case 2:
            return ImageOps.mirror(photo), 90
        case 3:
            w, h = round(0.95 * width), round(0.95 * height)
            x, y = rng.randint(0, width - w), rng.randint(0, height - h)
            return photo.crop((x, y, x + w, y + h)), 90
        case _:
            return ImageOps.mirror(photo).resize((width // 2, height // 2)), 60


def ingest(root: Path, folder: Path) -> None:
    result = CliRunner().invoke(app, ["-w", str(root), "ingest", str(folder)], env=FAST_INGEST)
    assert result.exit_code == 0, result.output


def places_by_photo(root: Path) -> dict[str, list[Placed]]:
    """Assign what has no split yet; the places of each photo's copies, its own among them."""
    workspace = Workspace(root, load_settings(root))
    try:
        assign_splits(workspace)
        with reader(workspace.engine).begin() as connection:
            placed = places(connection)
            query = sa.select(ImageRow.id, Source.uri)
            query = query.join(Source, Source.image_id == ImageRow.id)
            found = defaultdict(list)
            for image_id, uri in connection.execute(query):
                if image_id in placed:
                    found[Path(uri_path(uri)).stem.partition("_")[0]].append(placed[image_id])
    finally:
        workspace.close()
    return found


@pytest.mark.parametrize("together", [True, False], ids=["together", "later"])
def test_no_copy_crosses_splits(shared: Path, tmp_path: Path, together: bool) -> None:
    names = (shared / "data/eg1800/train.txt").read_text().split()[:PHOTOS]
    first, later = tmp_path / "first", tmp_path / "later"
    for folder in (first, later):
        folder.mkdir()
    for number in range(COPIES):
        name = names[number % PHOTOS]
        with Image.open(shared / f"data/eg1800/images/{name}.jpg") as photo:
            photo.load()
        if number < PHOTOS:
            photo.save(first / f"{name}.jpg", quality=92)
        planted, quality = copy(photo, number)
        planted.save((first if together else later) / f"{name}_{number}.jpg", quality=quality)
    root = tmp_path / "workspace"
    ingest(root, first)
    before = places_by_photo(root)
    if not together:
        ingest(root, later)
    found = places_by_photo(root)
    assert sum(map(len, found.values())) == PHOTOS + COPIES
    for name, of_photo in found.items():
        assert len({each.split for each in of_photo}) == 1, name
        assert not any(each.left_out for each in of_photo), name
        assert before[name][0].split is of_photo[0].split, "a split that was decided stays"
    assert {each.split for of_photo in found.values() for each in of_photo} == set(Split)
