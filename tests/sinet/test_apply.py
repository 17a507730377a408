"""Predicting many files at once: each file's mask is that of the file alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sinet import Model, load_model
from sinet.apply import Style, Work, apply_to_files, plan
from sinet.data import read_image
from sinet.predict import predict


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("sinet:bundled")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures of many sizes, one of them too large for a batch, two broken; a video."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(10):
        shape = (2000, 4300, 3) if number == 3 else (*rng.integers(30, 300, 2), 3)
        noise = rng.integers(0, 256, shape, dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.blur(noise, (15, 15)))
    for name in ("1.png", "8.png"):
        (folder / name).write_bytes(b"<html>")
    writer = cv2.VideoWriter(
        str(folder / "5clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48)
    )
    for _ in range(7):
        writer.write(cv2.blur(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), (9, 9)))
    writer.release()
    return folder


@pytest.mark.parametrize("threads", [1, 3])
def test_every_mask_is_that_of_its_file(
    model: Model, folder: Path, tmp_path: Path, threads: int
) -> None:
    out = tmp_path / "out"
    works = plan([folder], out, overlay=True)
    taken: list[Work] = []
    counted = (taken.append(work) or work for work in works)
    style = Style(overlay=True)
    done, failures = apply_to_files(model, counted, style, threads=threads)
    assert taken == works
    assert done == 9
    assert [failure.path.name for failure in failures] == ["1.png", "8.png"]
    assert not (out / "1.png").exists()
    for number in (0, 2, 3, 9):
        found = cv2.imread(str(out / f"{number}.png"), cv2.IMREAD_UNCHANGED)
        image = read_image(folder / f"{number}.png")
        alone = style.mask(predict(model, image))
        assert found.shape == image.shape[:2]
        # Another batch, other sums: a probability between two greys may become either.
        assert np.abs(found.astype(int) - alone).max() <= 1
        assert (out / f"{number}.overlay.jpg").is_file()
    assert len(list((out / "5clip.masks").glob("*.png"))) == 7
    video = cv2.VideoCapture(str(folder / "5clip.avi"))
    for number in range(7):
        _, frame = video.read()
        alone = style.mask(predict(model, np.ascontiguousarray(frame[..., ::-1])))
        found = cv2.imread(str(out / f"5clip.masks/{number:06}.png"), cv2.IMREAD_UNCHANGED)
        assert np.abs(found.astype(int) - alone).max() <= 1
    overlay = cv2.VideoCapture(str(out / "5clip.overlay.mp4"))
    assert overlay.get(cv2.CAP_PROP_FRAME_COUNT) == 7
