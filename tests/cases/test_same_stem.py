"""Two photos of one name in two folders: a mask belongs to the one with its path, or to neither."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ingest = Callable[..., dict[str, Any]]
Masked = Callable[[], dict[str, str]]


@pytest.fixture
def masked(dataengine: Callable[..., str], tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Source of the latest mask by the photo's path from its folder on."""

    def call() -> dict[str, str]:
        rows = json.loads(dataengine("-w", tmp_path / "ws", "list", "--json"))
        return {
            "/".join(Path(row["photo_path"]).parts[-2:]): row["mask_source"]
            for row in rows
            if row["mask_source"]
        }

    return call


def test_the_second_has_no_mask(
    cases: Path, ingest: Ingest, masked: Masked, tmp_path: Path
) -> None:
    folder = cases / "same_stem"
    run = ingest(folder / "photos", "--masks", folder / "masks")
    assert masked() == {"first/0001.jpg": "import"}
    assert run["status"]["failures"] == {"mask_missing": 1}
    assert run["run"]["pairs"] == {"found": 1, "missing": 1, "ambiguous": 0, "unused": []}


def test_a_flat_mask_of_two_photos_is_neithers(
    cases: Path,
    ingest: Ingest,
    masked: Masked,
    dataengine: Callable[..., str],
    tmp_path: Path,
) -> None:
    folder = cases / "same_stem"
    (tmp_path / "masks").mkdir()
    shutil.copy(folder / "masks/first/0001.png", tmp_path / "masks")
    run = ingest(folder / "photos", "--masks", tmp_path / "masks")
    assert masked() == {}
    assert run["status"]["failures"] == {"mask_ambiguous": 2}
    failed = json.loads(dataengine("-w", tmp_path / "ws", "failures", "--json"))
    assert len(failed) == 2
    for each in failed:
        assert each["stage"] == "import"
        assert "first/0001.jpg" in each["message"]
        assert "second/0001.jpg" in each["message"]


def test_folders_given_one_by_one_keep_their_names(
    cases: Path, ingest: Ingest, masked: Masked, tmp_path: Path
) -> None:
    folder = cases / "same_stem"
    photos = folder / "photos"
    ingest(photos / "second", photos / "first", "--masks", folder / "masks")
    assert masked() == {"first/0001.jpg": "import"}


def test_a_mask_that_was_given_to_one_photo_is_not_given_to_another_later(
    cases: Path, ingest: Ingest, masked: Masked, tmp_path: Path
) -> None:
    folder = cases / "same_stem"
    ingest(folder / "photos/first", "--masks", folder / "masks")
    run = ingest(folder / "photos/second", "--masks", folder / "masks")
    assert masked() == {"first/0001.jpg": "import"}
    assert run["status"]["failures"] == {"mask_ambiguous": 1}


def test_copies_of_one_photo_are_one(
    cases: Path, ingest: Ingest, masked: Masked, tmp_path: Path
) -> None:
    photo = cases / "same_stem/photos/first/0001.jpg"
    for folder in ("here", "backup"):
        (tmp_path / "photos" / folder).mkdir(parents=True)
        shutil.copy(photo, tmp_path / "photos" / folder)
    shutil.copy(photo, tmp_path / "photos/other name.jpg")
    (tmp_path / "masks").mkdir()
    shutil.copy(cases / "same_stem/masks/first/0001.png", tmp_path / "masks")
    run = ingest(tmp_path / "photos", "--masks", tmp_path / "masks")
    assert run["status"]["failures"] == {}
    assert list(masked().values()) == ["import"]
