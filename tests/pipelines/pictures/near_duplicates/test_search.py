"""The search finds what comparing all pairs finds: no pair less, no pair more, none twice."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.descriptor import descriptor, thumbnails, window_hashes
from pipelines.pictures.near_duplicates.search import near_pairs
from tests.pipelines.pictures.near_duplicates.copies import photos

Hashes = NDArray[np.uint64]


def brute_force(left: Hashes, right: Hashes, radius: int) -> NDArray[np.int64]:
    found = []
    for start in range(0, len(left), 256):
        near = np.bitwise_count(left[start : start + 256, None] ^ right) <= radius
        found.append(np.argwhere(near) + np.array([start, 0]))
    return np.concatenate(found)


def searched(
    left: Hashes, right: Hashes | None = None, *, radius: int, block_pairs: int = 1 << 20
) -> NDArray[np.int64]:
    blocks = list(near_pairs(left, right, radius=radius, block_pairs=block_pairs))
    assert all(len(block) for block in blocks)
    pairs = np.concatenate([*blocks, np.empty((0, 2), np.int64)]).astype(np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def with_near_ones(hashes: Hashes, rng: np.random.Generator, most_bits: int) -> Hashes:
    """A third of them replaced by others with some bits flipped."""
    count = len(hashes) // 3
    flips = np.zeros(count, np.uint64)
    for _ in range(most_bits):
        bit = np.uint64(1) << rng.integers(64, size=count, dtype=np.uint64)
        flips ^= np.where(rng.random(count) < 0.6, bit, np.uint64(0))
    result = hashes.copy()
    result[:count] = rng.choice(hashes[count:], count) ^ flips
    return result


def random_hashes(count: int, rng: np.random.Generator) -> Hashes:
    return rng.integers(0, 2**64, count, np.uint64)


def skewed_hashes(count: int, rng: np.random.Generator) -> Hashes:
    """Most bits mostly equal, one in three constant, and many hashes several times."""
    odds = np.where(np.arange(64) % 3 == 0, 0.0, rng.uniform(0, 0.25, 64))
    bits = rng.random((count, 64)) < odds
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


@pytest.mark.parametrize("make", [random_hashes, skewed_hashes])
def test_twenty_thousand_like_brute_force(make) -> None:
    rng = np.random.default_rng(5)
    radius = 10 if make is random_hashes else 3  # of skewed ones, half the pairs lie within 10
    hashes = with_near_ones(make(20_000, rng), rng, 14)
    expected = brute_force(hashes, hashes, radius)
    expected = expected[expected[:, 0] < expected[:, 1]]
    assert len(expected) > 3000
    assert np.array_equal(searched(hashes, radius=radius), expected)


def test_real_photos_like_brute_force(shared: Path) -> None:
    """20,000 hashes: the ten windows of ten noisy copies of 200 photos."""
    thumbs = thumbnails([descriptor(rgb) for _, rgb in photos(shared, 200)])
    rng = np.random.default_rng(6)
    noise = rng.normal(0, 6, (10, *thumbs.shape))
    copies = np.clip(thumbs + noise, 0, 255).astype(np.uint8).reshape(-1, 32, 32)
    hashes = window_hashes(copies).ravel()
    assert len(hashes) == 20_000
    expected = brute_force(hashes, hashes, 10)
    expected = expected[expected[:, 0] < expected[:, 1]]
    assert len(expected) > 100_000
    assert np.array_equal(searched(hashes, radius=10, block_pairs=50_000), expected)


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12])
def test_every_radius_between_two_sets(radius: int) -> None:
    rng = np.random.default_rng(radius)
    left = with_near_ones(random_hashes(3000, rng), rng, 14)
    right = np.concatenate([random_hashes(500, rng), left[1000:2000]])
    expected = brute_force(left, right, radius)
    assert len(expected) >= 1000
    assert np.array_equal(searched(left, right, radius=radius), expected)


def test_a_radius_beyond_all_bits() -> None:
    hashes = random_hashes(20, np.random.default_rng(0))
    assert len(searched(hashes, radius=64)) == 20 * 19 // 2


def test_nothing_to_search() -> None:
    none = np.empty(0, np.uint64)
    some = random_hashes(3, np.random.default_rng(0))
    assert list(near_pairs(none, radius=4)) == []
    assert list(near_pairs(some, none, radius=4)) == []
    assert list(near_pairs(some[:1], radius=64)) == []


def test_a_crowd_comes_in_blocks() -> None:
    """All pairs of 3,000 equal hashes are 4.5 million: none is held back for the others."""
    hashes = np.full(3000, 2**63 + 5, np.uint64)
    sizes = [len(block) for block in near_pairs(hashes, radius=4, block_pairs=10_000)]
    assert sum(sizes) == 3000 * 2999 // 2
    assert max(sizes) <= 10_000


def test_the_order_does_not_depend_on_threads() -> None:
    rng = np.random.default_rng(1)
    hashes = with_near_ones(random_hashes(100_000, rng), rng, 8)
    one, three = (
        np.concatenate(list(near_pairs(hashes, radius=6, threads=threads, block_pairs=1)))
        for threads in (1, 3)
    )
    assert np.array_equal(one, three)
