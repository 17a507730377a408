"""`--masks DIR`: people's masks go through the same crop as their images, or fail with a reason."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.conftest import FAST_INGEST
from tests.pipelines.ingest.conftest import Ingest, picture, save
from tests.snapshots import Row, leftovers, snapshot

HEIGHT, WIDTH = 400, 300


@pytest.fixture
def whole_mask() -> npt.NDArray[np.uint8]:
    """A blob of a body over the middle of the picture, jagged so that a shift by one shows."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside = (abs(columns - 150) < 60 + (rows * 7) % 11) & (rows > 90 + (columns * 5) % 13)
    return inside.astype(np.uint8) * 255


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    save(tmp_path / "raw/a.png", picture(0, HEIGHT, WIDTH))
    return tmp_path / "raw"


def rows_of(workspace: Path, kind: str) -> list[Row]:
    return [row for key, row in snapshot(workspace).items() if key[0] == kind]


def stored_mask(workspace: Path) -> tuple[Row, npt.NDArray[np.bool_]]:
    (mask,) = rows_of(workspace, "mask")
    with Image.open(workspace / "store" / mask["blob"]) as image:
        return mask, np.asarray(image.convert("L")) > 127


def failures(run: dict[str, Any]) -> dict[str, int]:
    return dict(run["status"]["failures"])


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp"])
def test_the_crop_of_the_mask_is_that_of_the_portrait(
    tmp_path: Path,
    raw: Path,
    ingest_here: Ingest,
    whole_mask: npt.NDArray[np.uint8],
    suffix: str,
) -> None:
    (tmp_path / "masks/deep").mkdir(parents=True)
    Image.fromarray(whole_mask).save(tmp_path / f"masks/deep/a{suffix}", lossless=True)
    run = ingest_here(tmp_path / "ws", raw, "--masks", tmp_path / "masks")
    assert failures(run) == {}
    (portrait,) = rows_of(tmp_path / "ws", "portrait")
    x0, y0, x1, y1 = portrait["crop_box"]
    assert (x0, y0, x1, y1) != (0, 0, WIDTH, HEIGHT)
    mask, pixels = stored_mask(tmp_path / "ws")
    assert np.array_equal(pixels, whole_mask[y0:y1, x0:x1] > 127)
    assert (mask["source"], mask["revision"]) == ("import", 1)
    assert mask["producer"].startswith("import:")
    assert mask["probability_blob"] is None
    assert leftovers(tmp_path / "ws") == []


def test_missing_mask_and_other_size_are_failures_with_a_way_out(
    tmp_path: Path, raw: Path, ingest_here: Ingest, whole_mask: npt.NDArray[np.uint8]
) -> None:
    save(raw / "b.png", picture(1, HEIGHT, WIDTH))
    save(raw / "c.png", picture(2, HEIGHT, WIDTH))
    masks = tmp_path / "masks"
    save(masks / "a.png", whole_mask)
    save(masks / "b.png", whole_mask[:-1])
    arguments = (tmp_path / "ws", raw, "--masks", masks)
    run = ingest_here(*arguments)
    assert failures(run) == {"mask_missing": 1, "mask_size_mismatch": 1}
    assert (run["status"]["portraits"], sum(run["status"]["verdicts"].values())) == (3, 1)
    errors = {row["reason"]: row["error"] for row in rows_of(tmp_path / "ws", "job")}
    assert str(masks / "c.png") in errors["mask_missing"]
    assert "300×399" in errors["mask_size_mismatch"]
    assert "300×400" in errors["mask_size_mismatch"]
    # The causes gone, only what failed is done again.
    save(masks / "b.png", whole_mask)
    save(masks / "c.png", whole_mask)
    again = ingest_here(tmp_path / "ws", "--retry-failed")
    assert (again["run"]["retried"], again["run"]["files"]) == (2, 0)
    assert failures(again) == {}
    assert {row["source"] for row in rows_of(tmp_path / "ws", "mask")} == {"import"}
    assert len(rows_of(tmp_path / "ws", "mask")) == 3


def test_masks_of_0_and_1_are_as_those_of_0_and_255(
    tmp_path: Path, raw: Path, ingest_here: Ingest, whole_mask: npt.NDArray[np.uint8]
) -> None:
    """Many datasets number their classes; shown, such a mask looks black."""
    save(tmp_path / "masks/a.png", whole_mask // 255)
    save(tmp_path / "masks_255/a.png", whole_mask)
    ingest_here(tmp_path / "ws", raw, "--masks", tmp_path / "masks")
    ingest_here(tmp_path / "ws_255", raw, "--masks", tmp_path / "masks_255")
    mask, pixels = stored_mask(tmp_path / "ws")
    assert pixels.any()
    assert "empty_mask" not in mask["reasons"]
    assert mask["blob"] == stored_mask(tmp_path / "ws_255")[0]["blob"]


def test_a_mask_of_class_numbers_is_no_mask(
    tmp_path: Path, raw: Path, ingest_here: Ingest, whole_mask: npt.NDArray[np.uint8]
) -> None:
    """15 is a person in VOC; taking it for background would give an empty mask in silence."""
    save(tmp_path / "masks/a.png", whole_mask // 17)
    run = ingest_here(tmp_path / "ws", raw, "--masks", tmp_path / "masks")
    assert failures(run) == {"mask_not_binary": 1}
    assert rows_of(tmp_path / "ws", "mask") == []


def test_an_empty_mask_is_rejected_not_failed(
    tmp_path: Path, raw: Path, ingest_here: Ingest, whole_mask: npt.NDArray[np.uint8]
) -> None:
    save(tmp_path / "masks/a.png", whole_mask * 0)
    run = ingest_here(tmp_path / "ws", raw, "--masks", tmp_path / "masks")
    assert failures(run) == {}
    assert run["status"]["reasons"]["empty_mask"] == 1
    assert run["status"]["verdicts"]["rejected"] == 1


def test_masks_for_a_workspace_that_has_teachers_masks(
    tmp_path: Path, raw: Path, ingest_here: Ingest, whole_mask: npt.NDArray[np.uint8]
) -> None:
    ingest_here(tmp_path / "ws", raw)
    save(tmp_path / "masks/a.png", whole_mask)
    ingest_here(tmp_path / "ws", raw, "--masks", tmp_path / "masks")
    found = [(row["revision"], row["source"]) for row in rows_of(tmp_path / "ws", "mask")]
    assert found == [(1, "teacher"), (2, "import")]


def test_a_mistyped_folder_of_masks_makes_no_workspace(tmp_path: Path, raw: Path) -> None:
    from typer.testing import CliRunner

    from dataengine.cli import app
    from pipelines.workspace.errors import ScanError

    arguments = ["-w", str(tmp_path / "ws"), "ingest", str(raw), "--masks", str(tmp_path / "none")]
    result = CliRunner().invoke(app, arguments, env=FAST_INGEST)
    assert isinstance(result.exception, ScanError)
    assert "none: no such folder of masks" in str(result.exception)
    assert not (tmp_path / "ws").exists()


def test_two_masks_of_one_name_are_refused(tmp_path: Path, raw: Path) -> None:
    from typer.testing import CliRunner

    from dataengine.cli import app

    save(tmp_path / "masks/a.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    save(tmp_path / "masks/a.webp", np.zeros((HEIGHT, WIDTH), np.uint8))
    arguments = ["-w", str(tmp_path / "ws"), "ingest", str(raw), "--masks", str(tmp_path / "masks")]
    result = CliRunner().invoke(app, arguments, env=FAST_INGEST)
    assert "a second mask of this name" in str(result.exception)
    assert not (tmp_path / "ws").exists()


def test_an_inverted_mask_is_named_as_such_and_not_counted_against_the_photo(
    tmp_path: Path, raw: Path, ingest_here: Ingest, whole_mask: npt.NDArray[np.uint8]
) -> None:
    save(tmp_path / "masks/a.png", 255 - whole_mask)
    run = ingest_here(tmp_path / "ws", raw, "--masks", tmp_path / "masks")
    assert failures(run) == {"mask_inverted": 1}
    assert rows_of(tmp_path / "ws", "mask") == []
    (job,) = (row for row in rows_of(tmp_path / "ws", "job") if row["error"])
    assert f"{tmp_path}/masks/a.png: the mask looks inverted" in job["error"]
    assert "--mask-invert" in job["error"]
    again = ingest_here(tmp_path / "ws", "--retry-failed", "--mask-invert")
    assert again["run"]["masks_read"] == {"black and white, inverted": 1}
    save(tmp_path / "other/a.png", whole_mask)
    ingest_here(tmp_path / "right", raw, "--masks", tmp_path / "other")
    ours, right = (stored_mask(tmp_path / name)[0]["blob"] for name in ("ws", "right"))
    assert ours == right


def test_what_is_wrong_with_a_masks_file_is_not_its_photos_fault(
    tmp_path: Path, raw: Path, ingest_here: Ingest, whole_mask: npt.NDArray[np.uint8]
) -> None:
    save(tmp_path / "masks/a.png", whole_mask)
    file = tmp_path / "masks/a.png"
    file.write_bytes(file.read_bytes()[:-60])
    run = ingest_here(tmp_path / "ws", raw, "--masks", tmp_path / "masks")
    assert failures(run) == {"mask_truncated": 1}
