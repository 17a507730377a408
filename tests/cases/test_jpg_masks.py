"""`jpg_masks`: masks stored as JPEG; the noise of the compression is thresholded away."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.cases.conftest import Ingest
from tests.cases.masks import assert_is_crop, imported, read_as


def test_they_are_scored(cases: Path, dataengine: Callable[..., str]) -> None:
    arguments = ("evaluate", "sinet:bundled", "--data", cases / "jpg_masks")
    found = json.loads(dataengine(*arguments, "--json"))
    assert found["masks_read"] == {"black and white, compressed": 2}
    assert found["mean"]["iou"] > 0.9
    assert "Masks read as: 2 black and white, compressed" in dataengine(*arguments)


def test_they_are_imported(shared: Path, cases: Path, ingest: Ingest, tmp_path: Path) -> None:
    folder = cases / "jpg_masks"
    run = ingest(folder / "images", "--masks", folder / "masks")
    assert read_as(run) == {"black and white, compressed": 2}
    masks = imported(tmp_path / "ws")
    for (mask, box), name in zip(masks, ("00007", "00021"), strict=True):
        with Image.open(shared / f"data/eg1800/masks/{name}.png") as image:
            assert_is_crop(mask, box, np.asarray(image.convert("L")) > 127)
