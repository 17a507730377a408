"""Names of masks as people write them: Unicode of another normal form, case, suffixes, words."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

Ingest = Callable[..., dict[str, Any]]


def test_all_four_are_found(cases: Path, ingest: Ingest) -> None:
    folder = cases / "mask_names"
    run = ingest(folder / "photos", "--masks", folder / "masks")
    assert run["run"]["pairs"] == {"found": 4, "missing": 0, "ambiguous": 0, "unused": []}
    assert run["status"]["failures"] == {}


def test_masks_stored_as_jpeg_are_found(
    cases: Path, ingest: Ingest, dataengine: Callable[..., str], tmp_path: Path
) -> None:
    folder = cases / "jpg_masks"
    run = ingest(folder / "images", "--masks", folder / "masks")
    assert run["run"]["pairs"]["found"] == 2
    assert run["status"]["failures"] == {}
    answer = json.loads(dataengine("evaluate", "sinet:bundled", "--data", folder, "--json"))
    assert answer["images"] == 2


@pytest.mark.parametrize("pattern", ["{stem}_person.png", "{parent}/{name}.person.png"])
def test_a_pattern_says_how(cases: Path, ingest: Ingest, tmp_path: Path, pattern: str) -> None:
    photo = cases / "mask_names/photos/p6.jpg"
    (tmp_path / "photos/deep").mkdir(parents=True)
    shutil.copy(photo, tmp_path / "photos/deep/p6.jpg")
    name = pattern.format(stem="p6", name="p6.jpg", parent="deep")
    (tmp_path / "masks" / name).parent.mkdir(parents=True)
    shutil.copy(cases / "mask_names/masks/p6_mask.png", tmp_path / "masks" / name)
    without = ingest(tmp_path / "photos", "--masks", tmp_path / "masks")
    assert without["status"]["failures"] == {"mask_missing": 1}
    run = ingest(tmp_path / "photos", "--masks", tmp_path / "masks", "--mask-pattern", pattern)
    assert run["status"]["failures"] == {}
    assert run["run"]["pairs"]["found"] == 1


@pytest.mark.parametrize("options", [(), ("--mask-pattern", "{stem}_mask.png")])
def test_photos_and_masks_in_one_folder(
    cases: Path, ingest: Ingest, tmp_path: Path, options: tuple[str, ...]
) -> None:
    for name in ("photos/p6.jpg", "masks/p6_mask.png"):
        shutil.copy(cases / "mask_names" / name, tmp_path / Path(name).name)
    (tmp_path / "data").mkdir()
    for file in tmp_path.glob("p6*"):
        file.rename(tmp_path / "data" / file.name)
    run = ingest(tmp_path / "data", "--masks", tmp_path / "data", *options)
    assert (run["run"]["offered"], run["run"]["ignored"]) == (1, {"mask": 1})
    assert run["status"]["failures"] == {}
    assert run["status"]["photos"]["seen"] == 1


def test_a_mask_nearly_named_like_its_photo_is_named(
    cases: Path, ingest: Ingest, dataengine: Callable[..., str], tmp_path: Path
) -> None:
    shutil.copytree(cases / "mask_names/photos", tmp_path / "photos")
    (tmp_path / "masks").mkdir()
    shutil.copy(cases / "mask_names/masks/img_0003.png", tmp_path / "masks/img_003.png")
    ingest(tmp_path / "photos", "--masks", tmp_path / "masks")
    failures = json.loads(dataengine("-w", tmp_path / "ws", "failures", "--json"))
    (error,) = [each["message"] for each in failures if "IMG_0003" in each["path"]]
    assert "nearly its name has img_003.png" in error


def test_masks_of_a_data_set_that_no_image_has_are_named(cases: Path, tmp_path: Path) -> None:
    from dataengine.cli import app

    data = tmp_path / "data"
    shutil.copytree(cases / "values_01", data)
    for name in ("00007_old.png", "0000046.png"):
        shutil.copy(data / "masks/00007.png", data / "masks" / name)
    arguments = ["evaluate", "sinet:bundled", "--data", str(data)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stderr.replace("\n", "").split())
    assert "2 masks belong to no image: " in said
    (data / "masks/00007_old.png").unlink()
    (data / "masks/0000046.png").unlink()
    assert "belong to no image" not in CliRunner().invoke(app, arguments).stderr
