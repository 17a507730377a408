"""`intact` and `damaged`: what is wrong outside of the pixels costs no photo; a cut one fails."""

from pathlib import Path
from typing import Any

from PIL import Image

from tests.cases.conftest import Ingest


def test_intact_photos_are_read(cases: Path, ingest: Ingest) -> None:
    run: dict[str, Any] = ingest(cases / "intact")
    assert run["run"]["failures"] == {}
    assert run["status"]["portraits"] == 4


def test_of_the_tiff_the_large_page_is_taken(cases: Path, dataengine: Any, tmp_path: Path) -> None:
    dataengine("predict", "sinet:bundled", cases / "intact", "--out", tmp_path / "out")
    for name in ("bad_text_crc", "big_ztxt", "no_eoi", "thumb_first"):
        with Image.open(tmp_path / f"out/{name}.png") as mask:
            assert mask.size == (600, 800)


def test_a_cut_off_photo_fails_as_truncated(cases: Path, ingest: Ingest, dataengine: Any) -> None:
    run = ingest(cases / "damaged")
    assert run["run"]["failures"] == {"truncated": 1}
    assert run["status"]["portraits"] == 0
