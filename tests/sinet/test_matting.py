"""Data sets with mattes: read, scored, and refused."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sinet.data import evaluation_samples
from sinet.errors import DataError
from sinet.matting import FOLDERS, MatteEvaluation, evaluate_matte


class Half:
    """Sees half a person everywhere."""

    parameters = 0

    def person_at_input(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.full(image.shape[:2], 0.5, np.float32)

    def people_at_input(self, images: list[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
        return [self.person_at_input(image) for image in images]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two images of 20 × 10, all of the one a person, none of the other; the first has a trimap."""
    for name in ("images", "alphas", "trimaps"):
        (tmp_path / name).mkdir()
    for name, value in (("a", 255), ("b", 0)):
        Image.new("RGB", (20, 10)).save(tmp_path / f"images/{name}.jpg")
        Image.new("L", (20, 10), value).save(tmp_path / f"alphas/{name}.png")
    trimap = Image.new("L", (20, 10), 255)
    trimap.paste(128, (0, 0, 4, 10))
    trimap.save(tmp_path / "trimaps/a.png")
    return tmp_path


def evaluate(data: Path) -> MatteEvaluation:
    return evaluate_matte(Half(), evaluation_samples(data, folders=FOLDERS)[1])


def test_means_over_the_images(data: Path) -> None:
    found = evaluate(data)
    assert found.whole.sad == pytest.approx(0.1)
    assert found.whole.mse == pytest.approx(0.25)
    assert found.unknown is not None
    assert found.unknown.sad == pytest.approx(0.02)
    assert found.images["b"].unknown is None


def test_without_any_trimap(data: Path) -> None:
    (data / "trimaps/a.png").unlink()
    assert evaluate(data).unknown is None


def test_what_does_not_fit(data: Path) -> None:
    Image.new("L", (19, 10)).save(data / "trimaps/a.png")
    with pytest.raises(DataError, match=r"trimaps/a.png: is 19 × 10, its image 20 × 10"):
        evaluate(data)
    (data / "trimaps/a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"trimaps/a.png: "):
        evaluate(data)
    (data / "alphas/a.png").rename(data / "alphas/c.png")
    with pytest.raises(DataError, match="1 images have no mask, first a"):
        evaluate(data)
    (data / "alphas").rename(data / "mattes")
    with pytest.raises(DataError, match="no folders `images` and `alphas` in it"):
        evaluate(data)
