"""`cutout`: the mask is an RGBA cut-out; transparent is nobody."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.cases.conftest import Ingest
from tests.cases.masks import assert_is_crop, imported, read_as


def test_alpha_is_the_mask(cases: Path, ingest: Ingest, tmp_path: Path) -> None:
    folder = cases / "cutout"
    run: dict[str, Any] = ingest(folder / "photos", "--masks", folder / "masks")
    assert read_as(run) == {"alpha of a cut-out": 1}
    with Image.open(folder / "masks/00004.png") as image:
        alpha = np.asarray(image.getchannel("A")) > 127
    ((mask, box),) = imported(tmp_path / "ws")
    assert_is_crop(mask, box, alpha)
    assert not mask.all()


def test_the_run_says_so(cases: Path, dataengine: Any, tmp_path: Path) -> None:
    folder = cases / "cutout"
    out = dataengine(
        "-w", tmp_path / "ws", "ingest", folder / "photos", "--masks", folder / "masks"
    )
    assert "Masks read as: 1 alpha of a cut-out" in out


def test_how_it_was_read_stays_with_the_mask(cases: Path, dataengine: Any, tmp_path: Path) -> None:
    folder, root = cases / "cutout", ("-w", tmp_path / "ws")
    dataengine(*root, "ingest", folder / "photos", "--masks", folder / "masks")
    told = dataengine(*root, "explain", folder / "photos/00004.jpg", "--json")
    assert "(alpha of a cut-out)" in told
