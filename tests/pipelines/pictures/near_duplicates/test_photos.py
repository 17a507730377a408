"""On EG1800: planted copies are found, and no strangers are taken for each other.

docs/near-duplicates.md has the figures of all photos; `pytest -m campaign` asserts them.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from pipelines.pictures.near_duplicates.grouping import Fingerprint, group
from tests.pipelines.pictures.near_duplicates.copies import COPIES, fingerprint, photos

# Looked at by eye: the same photo twice, edited or cropped, or the next one of a series.
NEAR_DUPLICATES = {
    ("00192", "00193"),
    ("00306", "00313"),
    ("00481", "00625"),
    ("00555", "00564"),
    ("00856", "00923"),
    ("00878", "00898"),
    ("01231", "01245"),
    ("02050", "02051"),
    ("02068", "02226"),
    ("02076", "02359"),
    ("02206", "02560"),
}
FIRST_COPY = 10_000


@pytest.mark.parametrize("limit", [100, pytest.param(None, marks=pytest.mark.campaign)])
def test_copies_are_found_and_strangers_are_not(shared: Path, limit: int | None) -> None:
    rng = np.random.default_rng(11)
    names: list[str] = []
    originals: list[Fingerprint] = []
    copies: dict[str, list[Fingerprint]] = defaultdict(list)
    for number, (name, rgb) in enumerate(photos(shared, limit), 1):
        names.append(name)
        originals.append(fingerprint(number, rgb))
        for kind, (copy, _) in COPIES.items():
            copies[kind].append(fingerprint(FIRST_COPY + number, copy(rgb, rng)))
    assert len(names) == (limit or 1336)
    for kind, (_, share) in COPIES.items():
        groups = group(originals + copies[kind])
        numbers = range(1, len(names) + 1)
        found = sum(groups[number] == groups[FIRST_COPY + number] for number in numbers)
        assert found >= share * len(names), kind
        falsely = [
            (names[groups[number] - 1], names[number - 1])
            for number in numbers
            if groups[number] != number
            and (names[groups[number] - 1], names[number - 1]) not in NEAR_DUPLICATES
        ]
        assert len(falsely) < 0.001 * len(names), falsely
