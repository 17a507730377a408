import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sinet.data import Sample, find_samples


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data and weights, which is not part of the project."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("DATAENGINE_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}: set DATAENGINE_SHARED")
    return folder


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Other tests may run beside this one; and sums depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_portrait(folder: Path, name: str, seed: int, size: tuple[int, int] = (60, 48)) -> None:
    """Write a picture of a bright ellipse on noise, and its mask."""
    rng = np.random.default_rng(seed)
    height, width = size
    image = rng.integers(0, 90, (height, width, 3), np.uint8)
    mask = np.zeros(size, np.uint8)
    centre = (int(rng.integers(width // 3, 2 * width // 3)), int(height * 0.6))
    cv2.ellipse(mask, centre, (width // 4, height // 3), 0, 0, 360, 255, -1)
    image[mask > 0] += np.uint8(120)
    for kind, pixels in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / kind / f"{name}.png"), pixels)


@pytest.fixture(name="write_portrait")
def _write_portrait() -> Callable[..., None]:
    return write_portrait


@pytest.fixture
def portraits(tmp_path: Path) -> list[Sample]:
    """Eight small samples in a bare folder."""
    folder = tmp_path / "portraits"
    for number in range(8):
        write_portrait(folder, f"p{number}", number)
    return find_samples(folder)
