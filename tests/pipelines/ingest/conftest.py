"""Crawls for whole runs, and a quick run within the tests' own process."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import FAST_INGEST

Rgb = npt.NDArray[np.uint8]
Ingest = Callable[..., dict[str, Any]]


def picture(seed: int, height: int = 200, width: int = 150) -> Rgb:
    """Noise, in which the fake detector sees a face a third as high as the picture."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, pixels: Rgb) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def ingest_here() -> Ingest:
    """`dataengine -w WORKSPACE ingest ARGUMENTS… --json` with the fakes, in this process."""
    from dataengine.cli import app

    def call(workspace: Path, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        line = ["-w", str(workspace), "ingest", *map(str, arguments), "--json"]
        result = CliRunner().invoke(app, line, env=FAST_INGEST)
        assert result.exit_code == code, result.output
        return dict(json.loads(result.stdout))

    return call


@pytest.fixture(scope="session")
def small_crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 90 files that are quickly decoded, good and bad, with copies; real if there are any."""
    crawl = tmp_path_factory.mktemp("small_crawl")
    reference = Path(os.environ.get("DATAENGINE_SHARED") or Path(__file__).parents[4] / "shared")
    real = sorted((reference / "data/crawl/mixed").glob("*"))
    for file in [file for file in real if file.stat().st_size < 100_000][:70]:
        shutil.copy(file, crawl)
    for file in sorted((reference / "data/crawl/flickr").glob("*.jpg"))[:6]:
        shutil.copy(file, crawl)
    for number in range(12 if real else 60):
        save(crawl / f"made/{number:02}.png", picture(number))
    for number in range(4):
        shutil.copy(crawl / f"made/{number:02}.png", crawl / f"made/copy {number}.png")
    save(crawl / "made/black.png", np.zeros((100, 100, 3), np.uint8))
    (crawl / "made/cut.png").write_bytes((crawl / "made/00.png").read_bytes()[:5000])
    (crawl / "made/page.jpg").write_text("<html>404 Not Found</html>")
    return crawl
