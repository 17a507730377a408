"""The small version of benchmarks/quality/table.py: real photos, real network, hand masks."""

import csv
import re
from pathlib import Path

import pytest

from benchmarks.quality import evidence, measures
from benchmarks.quality.collect import collect
from benchmarks.quality.evidence import INGEST
from benchmarks.quality.table import report

TRAIN, OTHERS = 56, 8


@pytest.fixture
def few(shared: Path, tmp_path: Path) -> Path:
    """The reference data with few photos in its lists, some of them in the crawl, too."""
    root = tmp_path / "shared"
    data = root / "data/eg1800"
    data.mkdir(parents=True)
    for name in ("images", "masks"):
        (data / name).symlink_to(shared / "data/eg1800" / name)
    crawl = root / "data/crawl"
    crawl.mkdir()
    (crawl / "flickr").symlink_to(shared / "data/crawl/flickr")
    (root / "weights").symlink_to(shared / "weights")
    lines = (shared / "data/crawl/flickr_crops.csv").read_text().splitlines()[: OTHERS + 1]
    (crawl / "flickr_crops.csv").write_text("\n".join(lines) + "\n")
    crawled = [Path(row["file"]).stem for row in csv.DictReader(lines)]
    train, val = (
        (shared / f"data/eg1800/{split}.txt").read_text().split() for split in ("train", "val")
    )
    chosen = list(dict.fromkeys([*crawled, *train]))[:TRAIN]
    (data / "train.txt").write_text("\n".join(chosen) + "\n")
    (data / "val.txt").write_text("\n".join(val[:OTHERS]) + "\n")
    return root


@pytest.mark.campaign
def test_the_combined_score_finds_bad_masks(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "DRAWS", 50)
    # A third of the masks are "bad": so few photos have too few really bad ones to learn from.
    monkeypatch.setattr(evidence, "BAD_BELOW", 0.95)
    cache, data = tmp_path / "cache", few / "data/eg1800"
    assert len(list(collect(few, cache))) == TRAIN + 2 * OTHERS
    whole = "\n".join(report(INGEST, cache, data, tmp_path / "pictures", "none"))
    text = whole.partition("Gain in AUROC")[0]
    masks = re.search(r"train.txt: (\d+) masks, (\d+)", text)
    assert masks is not None
    assert TRAIN - 3 <= int(masks[1]) <= TRAIN, "all but those without a face"
    assert 20 < int(masks[2]) < 60
    auroc = {
        name.strip("*` "): float(value)
        for name, value in re.findall(r"^\| (.+?) \| (0\.\d+) \(", text, re.MULTILINE)
    }
    assert auroc["confidence"] > 0.6
    assert auroc["combined, with views"] > auroc["confidence"] - 0.03
    assert "| over mean confidence |" in whole
    assert auroc["face_in_mask"] < auroc["confidence"]
    pictures = {each.name for each in (tmp_path / "pictures").iterdir()}
    assert pictures == {"precision-recall-ingest.png", "reliability-ingest.png"}
