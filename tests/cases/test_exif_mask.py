"""`exif_mask`: the photo has EXIF orientation 6, its mask lies as the sensor stored it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cases.conftest import Ingest
from tests.cases.masks import assert_is_crop, imported, read_as

# As tests.sinet.pictures.test_decode: what a camera stores so that tag N turns it upright.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def test_the_mask_is_turned_with_the_photo(cases: Path, ingest: Ingest, tmp_path: Path) -> None:
    folder = cases / "exif_mask"
    run: dict[str, Any] = ingest(folder / "photos", "--masks", folder / "masks")
    assert read_as(run) == {"black and white, turned right by 90° as EXIF says": 1}
    with Image.open(folder / "masks/o6_00004.png") as image:
        whole = np.asarray(image.transpose(Image.Transpose.ROTATE_270)) > 127
    ((mask, box),) = imported(tmp_path / "ws")
    assert_is_crop(mask, box, whole)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("is_stored", [True, False], ids=["as stored", "as shown"])
def test_every_orientation_stored_and_turned(
    shared: Path, ingest: Ingest, tmp_path: Path, orientation: int, *, is_stored: bool
) -> None:
    eg1800 = shared / "data/eg1800"
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("photos", "masks"):
        (tmp_path / kind).mkdir()
    with Image.open(eg1800 / "images/00004.jpg") as photo:
        turned = photo.transpose(STORED[orientation])
        turned.save(tmp_path / "photos/a.jpg", exif=exif, quality=95)
    with Image.open(eg1800 / "masks/00004.png") as image:
        whole = np.asarray(image.convert("L")) > 127
        drawn = image.transpose(STORED[orientation]) if is_stored else image
        drawn.save(tmp_path / "masks/a.png")
    run = ingest(tmp_path / "photos", "--masks", tmp_path / "masks")
    ((how, number),) = read_as(run).items()
    assert (number, "as EXIF says" in how) == (1, is_stored)
    ((mask, box),) = imported(tmp_path / "ws")
    assert_is_crop(mask, box, whole)


def test_a_data_set_is_read_the_same_way_and_says_so(
    cases: Path, dataengine: Callable[..., str], tmp_path: Path
) -> None:
    shutil.copytree(cases / "exif_mask/photos", tmp_path / "data/images")
    shutil.copytree(cases / "exif_mask/masks", tmp_path / "data/masks")
    arguments = ("evaluate", "sinet:bundled", "--data", tmp_path / "data", "--json")
    found = json.loads(dataengine(*arguments))
    assert found["masks_read"] == {"black and white, turned right by 90° as EXIF says": 1}
    assert found["mean"]["iou"] > 0.9


def test_where_neither_way_fits_exif_is_named(
    cases: Path, ingest: Ingest, dataengine: Callable[..., str], tmp_path: Path
) -> None:
    """The mask of another photo, the photo upside down: no outline lies on edges, no face in it."""
    exif = Image.Exif()
    exif[0x0112] = 3
    for kind in ("photos", "masks"):
        (tmp_path / kind).mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (800, 600, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos/a.jpg", exif=exif)
    corner = np.zeros((800, 600), np.uint8)
    corner[:200, :150] = 255
    Image.fromarray(corner).save(tmp_path / "masks/a.png")
    run = ingest(tmp_path / "photos", "--masks", tmp_path / "masks")
    assert run["run"]["failures"] == {"mask_orientation": 1}
    assert "by EXIF (orientation 3)" in dataengine("-w", tmp_path / "ws", "failures")
