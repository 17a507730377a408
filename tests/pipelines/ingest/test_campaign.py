"""The long kill test: 50 kills of an ingest of the whole reference crawl with real networks.

Runs with `pytest -m campaign`.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.kills import Command, campaign, copied
from tests.snapshots import broken_blobs, differences, leftovers, snapshot

KILLS = 50
# The networks' sums depend a little on what else is in a batch.
PIXELS = 0.05  # of boxes and landmarks
PROBABILITY = 1e-3  # of confidences and scores
MEAN_GREY_LEVELS = 0.5  # of probability maps, of 255
MASK_IOU = 0.995


@pytest.mark.campaign
@pytest.mark.timeout(5400)
def test_fifty_kills_of_the_whole_crawl(shared: Path, tmp_path: Path) -> None:
    # The large crawl of the web has a campaign of its own: tests/pipelines/origins.
    for name in ("flickr", "mixed"):
        copied(shared / "data/crawl" / name, tmp_path / "world/crawl" / name)
    model = shared / "weights/deeplabv3_mobilenetv2_voc.onnx"
    line = ("ingest", "crawl", "--teacher", f"onnx:{model}", "--workers", "2")
    command = Command(arguments=line, environment={})
    copies = tmp_path / "copies"
    tally = campaign(
        tmp_path / "world", command, copies, kills=KILLS, a_copy=KILLS, compare=nearly_the_same
    )
    assert not tally.differences, "\n".join(tally.differences)


def nearly_the_same(one: Path, another: Path) -> list[str]:
    """What differs by more than the tolerances above."""
    first, second = one / "ws", another / "ws"
    equal = nearly_equal(first / "store", second / "store")
    found = differences(snapshot(first, within=one), snapshot(second, within=another), equal)
    # A blob whose row was lost with the kill may differ from the one made again: then it stays.
    left = [line for line in leftovers(second) if "probabilities/" not in line]
    return [*found, *left, *broken_blobs(second)]


def nearly_equal(one: Path, other: Path) -> Callable[[str, Any, Any], bool]:
    """Equality of columns within the tolerances above; crops are equal to the bit."""

    def equal(name: str, value: Any, another: Any) -> bool:
        if value == another:
            return True
        if None in (value, another):
            return False
        if name == "probability_blob":
            return bool(np.abs(grey(one / value) - grey(other / another)).mean() < MEAN_GREY_LEVELS)
        if name == "blob" and value.startswith("masks/"):
            ours, theirs = grey(one / value) > 127, grey(other / another) > 127
            return bool((ours & theirs).sum() >= MASK_IOU * (ours | theirs).sum())
        return close(value, another, PIXELS if name in ("face_box", "landmarks") else PROBABILITY)

    return equal


def grey(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), np.float64)


def close(value: Any, another: Any, tolerance: float) -> bool:
    """Nested lists and dicts of numbers, compared number by number."""
    if isinstance(value, dict):
        return value.keys() == another.keys() and all(
            close(item, another[key], PIXELS if key in ("box", "landmarks") else tolerance)
            for key, item in value.items()
        )
    if isinstance(value, list):
        return len(value) == len(another) and all(
            close(*pair, tolerance) for pair in zip(value, another, strict=True)
        )
    if isinstance(value, float):
        return math.isclose(value, another, abs_tol=tolerance)
    return bool(value == another)


@pytest.mark.parametrize(
    ("name", "value", "another", "expected"),
    [
        ("face_box", [1.0, 2.0], [1.01, 2.0], True),
        ("face_box", [1.0, 2.0], [1.2, 2.0], False),
        ("scores", {"confidence": 0.5}, {"confidence": 0.5005}, True),
        ("scores", {"confidence": 0.5}, {"confidence": 0.52}, False),
        ("scores", {"confidence": 0.5}, {"other": 0.5}, False),
        ("crop_box", [1, 2], [1, 3], False),
        ("verdict", "review", "rejected", False),
        ("reason", None, "missing", False),
        ("blob", "portraits/a.jpg", "portraits/b.jpg", False),
    ],
)
def test_what_the_campaign_takes_for_equal(
    name: str, value: Any, another: Any, expected: bool
) -> None:
    assert nearly_equal(Path(), Path())(name, value, another) is expected
