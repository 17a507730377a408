"""`voc_palette`: 15 is the person, 18 the sofa, 9 the chair, 255 void: the person alone counts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cases.conftest import Ingest
from tests.cases.masks import assert_is_crop, imported, read_as


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ([], "palette of 21 classes: person is index 15"),
        (["--mask-class", "15"], "palette: index 15"),
        (["--mask-class", "#c08080"], "colour #c08080"),
    ],
)
def test_only_the_person_is_taken(
    cases: Path, ingest: Ingest, tmp_path: Path, options: list[str], how: str
) -> None:
    folder = cases / "voc_palette"
    run: dict[str, Any] = ingest(folder / "photos", "--masks", folder / "masks", *options)
    assert read_as(run) == {how: 2}
    masks = imported(tmp_path / "ws")
    for (mask, box), name in zip(masks, ("00001", "00003"), strict=True):
        with Image.open(folder / f"masks/{name}.png") as image:
            assert_is_crop(mask, box, np.asarray(image) == 15)


def test_classes_without_a_palette_are_refused_until_said(
    cases: Path, dataengine: Any, ingest: Ingest, tmp_path: Path
) -> None:
    """The same numbers as grey levels: 15 could be anything."""
    (tmp_path / "masks").mkdir()
    for file in (cases / "voc_palette/masks").iterdir():
        with Image.open(file) as image:
            Image.fromarray(np.asarray(image)).save(tmp_path / "masks" / file.name)
    photos = cases / "voc_palette/photos"
    run = ingest(photos, "--masks", tmp_path / "masks")
    assert run["run"]["failures"] == {"mask_not_binary": 2}
    assert imported(tmp_path / "ws") == []
    listed = dataengine("-w", tmp_path / "ws", "failures")
    assert "levels 0 (" in listed
    assert "--mask-class N" in listed
    again = ingest("--retry-failed", "--mask-class", "15")
    assert read_as(again) == {"level 15": 2}
    assert len(imported(tmp_path / "ws")) == 2
