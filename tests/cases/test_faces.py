"""`faces`: found however they lie, and what is no plain photo of a person goes to people."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipelines.pictures.decode import decode

DataEngine = Callable[..., Any]


@pytest.fixture(scope="session")
def detecting() -> DataEngine:
    """`dataengine ARGUMENTS… --json` with the real detector and a teacher that needs no weights."""
    from dataengine.cli import app

    environment = {"DATAENGINE_TEACHER__NAME": "fake", "DATAENGINE_ENGINE__WORKERS": "0"}

    def call(*arguments: str | Path) -> Any:
        result = CliRunner().invoke(app, [*map(str, arguments), "--json"], env=environment)
        assert result.exit_code == 0, result.output + repr(result.exception)
        return json.loads(result.stdout)

    return call


@pytest.fixture(scope="session")
def workspace(cases: Path, detecting: DataEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces") / "ws"
    detecting("-w", root, "ingest", cases / "faces")
    return root


def portraits(detecting: DataEngine, root: Path) -> dict[str, list[dict[str, Any]]]:
    """By the name of the photo."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in detecting("-w", root, "list"):
        found.setdefault(Path(line["photo_path"]).name, []).append(line)
    return found


def test_every_face_is_found_and_stands_upright(
    cases: Path, detecting: DataEngine, workspace: Path
) -> None:
    found = portraits(detecting, workspace)
    assert set(found) == {file.name for file in (cases / "faces").iterdir()}
    rotations = {name: lines[0]["rotation"] for name, lines in found.items()}
    assert rotations.pop("side90_noexif.jpg") == 90
    assert rotations.pop("upsidedown_noexif.jpg") == 180
    assert set(rotations.values()) == {0}
    for name in ("side90_noexif.jpg", "upsidedown_noexif.jpg"):
        (line,) = found[name]
        assert (line["verdict"], "rotated" in line["reasons"]) == ("review", True)


@pytest.mark.parametrize(
    ("photo", "reason", "portraits_with_it"),
    [
        ("picture_on_wall.jpg", "framed", 1),
        ("idsheet.jpg", "repeated_face", 6),
        ("beforeafter.jpg", "split_photo", 2),
    ],
)
def test_pictures_within_a_photo_are_for_people(
    detecting: DataEngine, workspace: Path, photo: str, reason: str, portraits_with_it: int
) -> None:
    lines = portraits(detecting, workspace)[photo]
    meant = [line for line in lines if reason in line["reasons"]]
    assert len(meant) == portraits_with_it
    assert "candidate" not in {line["verdict"] for line in meant}
    if reason == "framed":  # the one in the frame, who is smaller
        assert meant == [min(lines, key=lambda line: line["face_box"][3] - line["face_box"][1])]


def test_plain_photos_have_no_such_reason(detecting: DataEngine, workspace: Path) -> None:
    found = portraits(detecting, workspace)
    for name in ("grey.jpg", "pillarbox.jpg", "tilt40.jpg"):
        (line,) = found[name]
        assert not set(line["reasons"]) & {"rotated", "framed", "repeated_face", "split_photo"}


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_lying_photo_keeps_its_coordinates(
    shared: Path, detecting: DataEngine, tmp_path: Path, rotation: int
) -> None:
    """Crop, mask and every pixel can be followed back to the photo as it lies."""
    raw, masks = tmp_path / "raw", tmp_path / "masks"
    raw.mkdir()
    masks.mkdir()
    upright = Image.open(shared / "data/crawl/flickr/00054.jpg")
    lying = upright.rotate(rotation, expand=True)  # anti-clockwise: clockwise sets it upright
    lying.save(raw / "a.png")
    columns = np.arange(lying.width)[None] + np.arange(lying.height)[:, None]
    Image.fromarray(((columns % 7 < 4) * 255).astype(np.uint8)).save(masks / "a.png")
    root = tmp_path / "ws"
    detecting("-w", root, "ingest", raw, "--masks", masks)
    (line,) = detecting("-w", root, "list")
    assert line["rotation"] == rotation
    assert "rotated" in line["reasons"]
    x0, y0, x1, y1 = line["crop_box"]
    photo = decode((raw / "a.png").read_bytes(), max_pixels=10**8).rgb[y0:y1, x0:x1]
    turns = -(rotation // 90)
    crop = decode(Path(line["portrait_path"]).read_bytes(), max_pixels=10**8).rgb
    assert crop.shape[0] > crop.shape[1]
    assert np.abs(np.rot90(photo, turns).astype(int) - crop).mean() < 4
    mask = np.asarray(Image.open(line["mask_path"]).convert("L")) > 127
    drawn = (columns % 7 < 4)[y0:y1, x0:x1]
    np.testing.assert_array_equal(mask, np.rot90(drawn, turns))

    explained = detecting("-w", root, "explain", f"{line['portrait_path']}:5,9")
    (portrait,) = explained["portraits"]
    assert portrait["history"]["rotation"] == rotation
    there = portrait["pixel"]["in_photo"]
    back = detecting("-w", root, "explain", f"{raw / 'a.png'}:{there['x']},{there['y']}")
    assert back["portraits"][0]["pixel"]["in_portrait"] == {"x": 5, "y": 9}
    value = list(portrait["pixel"]["masks"].values())
    assert value == [255 * int(columns[there["y"], there["x"]] % 7 < 4)]

    detecting("-w", root, "export", "--out", tmp_path / "release")
    (item,) = (tmp_path / "release/manifest.jsonl").read_text().splitlines()
    assert json.loads(item)["rotation"] == rotation
    assert json.loads(item)["crop_box"] == line["crop_box"]

    for blob in (line["portrait_path"], line["mask_path"]):
        Path(blob).unlink()
    assert detecting("-w", root, "verify", "--repair")["repaired"] == 2


def test_it_can_be_switched_off(
    cases: Path, detecting: DataEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAENGINE_DETECTOR__LOOK_AGAIN", "false")
    run = detecting("-w", tmp_path / "ws", "ingest", cases / "faces/upsidedown_noexif.jpg")
    assert run["status"]["photos"]["no_face"] == 1
