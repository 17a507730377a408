"""Tombstones know copies on EG1800, take no stranger for one, and show nothing.

docs/near-duplicates.md has the figures of all photos; `pytest -m campaign` asserts them.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pictures.near_duplicates.descriptor import descriptor
from pipelines.pictures.near_duplicates.tombstone import (
    SCRYPT,
    TOMBSTONE_BYTES,
    Tombstones,
    tombstone,
)
from tests.pipelines.pictures.near_duplicates.copies import COPIES, photos
from tests.pipelines.pictures.near_duplicates.test_photos import NEAR_DUPLICATES


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word's digest takes a millisecond: which words there are does not depend on that."""
    monkeypatch.setitem(SCRYPT, "n", 2)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("limit", [60, pytest.param(None, marks=pytest.mark.campaign)])
def test_copies_are_known_and_strangers_are_not(shared: Path, limit: int | None) -> None:
    rng = np.random.default_rng(15)
    names, originals, copies = [], [], []
    for name, rgb in photos(shared, limit):
        names.append(name)
        originals.append(descriptor(rgb))
        copies.append({kind: descriptor(copy(rgb, rng)) for kind, (copy, _) in COPIES.items()})
    rows = [tombstone(each) for each in originals]
    assert sum(row is None for row in rows) <= 0.002 * len(rows)
    known = [(name, row) for name, row in zip(names, rows, strict=True) if row is not None]
    all_of_them = Tombstones([row for _, row in known])
    missed: Counter[str] = Counter()
    strangers = []
    for name, made in zip(names, copies, strict=True):
        for kind, copy in made.items():
            at = all_of_them.like(copy)
            if at is None:
                missed[kind] += 1
            elif known[at][0] != name and _pair(known[at][0], name) not in NEAR_DUPLICATES:
                strangers.append((kind, name, known[at][0]))
    assert strangers == []
    assert all(number <= 0.01 * len(names) for number in missed.values()), missed


def _pair(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)


def test_two_tombstones_of_a_photo_have_nothing_in_common_that_a_stranger_could_compare() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8)
    one, other = tombstone(descriptor(noise)), tombstone(descriptor(noise))
    assert one is not None
    assert other is not None
    assert len(one) == len(other) == TOMBSTONE_BYTES
    digests = [np.frombuffer(row, np.uint8)[-256:].reshape(16, 16) for row in (one, other)]
    assert not {each.tobytes() for each in digests[0]} & {each.tobytes() for each in digests[1]}


@pytest.mark.usefixtures("_quick")
def test_what_is_kept_in_clear_shows_no_picture(shared: Path) -> None:
    """The best that a reader of the database can do without scrypt: learn from other photos."""
    pictures = np.stack(
        [np.frombuffer(descriptor(rgb), np.uint8) for _, rgb in photos(shared, 160)]
    ).astype(np.float64)
    clear = np.stack([_in_clear(picture.astype(np.uint8).tobytes()) for picture in pictures])
    learnt, unseen = slice(0, 120), slice(120, None)
    mean, middle = pictures[learnt].mean(0), clear[learnt].mean(0)
    centred = clear[learnt] - middle
    ridge = centred @ centred.T + 300 * np.eye(120)
    guess = mean + (clear[unseen] - middle) @ centred.T @ np.linalg.solve(
        ridge, pictures[learnt] - mean
    )
    error = np.square(pictures[unseen] - guess).sum()
    explained = 1 - error / np.square(pictures[unseen] - mean).sum()
    assert explained < 0.3, (
        "less than a third of a 32 × 32 picture's variance: dark here, bright there"
    )


def _in_clear(data: bytes) -> np.typing.NDArray[np.float64]:
    """(256,): 1 and -1 for the signs that a tombstone tells, 0 for those that it does not."""
    row = np.frombuffer(tombstone(data) or bytes(TOMBSTONE_BYTES), np.uint8)
    waves, signs = row[17:33], np.unpackbits(row[33:35]).astype(np.float64)
    found = np.zeros(256)
    found[waves] = 2 * signs - 1
    return found


@given(st.binary(max_size=40) | st.binary(min_size=TOMBSTONE_BYTES, max_size=TOMBSTONE_BYTES))
@settings(max_examples=40, deadline=None)
def test_a_row_that_is_damaged_is_like_nothing(row: bytes) -> None:
    assert Tombstones([row]).like(bytes(range(256)) * 4) is None


def test_a_picture_of_nothing_has_none() -> None:
    assert tombstone(descriptor(np.full((40, 30, 3), 120, np.uint8))) is None
    assert tombstone(b"of an older version") is None
