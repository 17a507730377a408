"""`voc_palette`: 15 is the person, 18 the sofa, 9 the chair, 255 void: the person alone counts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from db import Verdict, reader
from pipelines.portraits.proposals import proposals
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace
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


def test_wide_void_is_asked_about_and_not_released(
    cases: Path, dataengine: Any, ingest: Ingest, tmp_path: Path
) -> None:
    """A crowd that nobody wanted to draw: neither background nor person."""
    (tmp_path / "masks").mkdir()
    for name, area in (("00001", True), ("00003", False)):
        with Image.open(cases / f"voc_palette/masks/{name}.png") as image:
            image.load()
            if area:
                image.paste(255, (0, 500, 600, 700))
            image.save(tmp_path / f"masks/{name}.png")
    run = ingest(cases / "voc_palette/photos", "--masks", tmp_path / "masks")
    how = "palette of 21 classes: person is index 15"
    assert read_as(run) == {how: 1, f"{how}, wide areas left open": 1}
    root = tmp_path / "ws"
    lines = json.loads(dataengine("-w", root, "list", "--json"))
    left_open = [line for line in lines if "left_open" in line["reasons"]]
    assert [Path(line["photo_path"]).name for line in left_open] == ["00001.jpg"]
    assert left_open[0]["verdict"] != "candidate"
    dataengine("-w", root, "export", "--out", tmp_path / "release")
    released = (tmp_path / "release/manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["portrait_id"] for line in released] != []
    assert left_open[0]["portrait_id"] not in [json.loads(line)["portrait_id"] for line in released]
    workspace = Workspace(root, Settings())
    try:
        with reader(workspace.engine).begin() as connection:
            asked = proposals(connection, list(Verdict))
    finally:
        workspace.close()
    assert [each.portrait_id for each in asked] == [left_open[0]["portrait_id"]]
