"""The rule of groups: strong links join, weak ones only where all agree; crowds stay affordable."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates import crowds, links
from pipelines.pictures.near_duplicates.descriptor import resampling, window_hashes
from pipelines.pictures.near_duplicates.edges import Edges, join
from pipelines.pictures.near_duplicates.grouping import Fingerprint, group
from pipelines.pictures.near_duplicates.verify import Features

Thumbs = NDArray[np.uint8]


def scenes(count: int, seed: int = 0) -> Thumbs:
    """Coarse random pictures of 32 × 32 pixels, each unlike the others."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8), np.uint8)
    return coarse.repeat(4, 1).repeat(4, 2)


def noisy(thumbs: Thumbs, seed: int = 1) -> Thumbs:
    noise = np.random.default_rng(seed).normal(0, 2, thumbs.shape)
    return np.clip(thumbs + noise, 0, 255).astype(np.uint8)


def fingerprints(thumbs: Thumbs, first_id: int = 1) -> list[Fingerprint]:
    plain = window_hashes(thumbs)[:, 0].tolist()
    mirror = window_hashes(np.ascontiguousarray(thumbs[:, :, ::-1]))[:, 0].tolist()
    rows = zip(plain, mirror, thumbs, strict=True)
    return [Fingerprint(i, a, b, thumb.tobytes()) for i, (a, b, thumb) in enumerate(rows, first_id)]


def test_copies_are_grouped_under_the_smallest_id() -> None:
    originals = fingerprints(scenes(50), first_id=101)
    copies = fingerprints(noisy(scenes(50)), first_id=1)
    groups = group(originals + copies)
    assert groups == {i + offset: i for i in range(1, 51) for offset in (0, 100)}


def test_the_order_of_the_rows_does_not_matter() -> None:
    images = fingerprints(np.concatenate([scenes(30), noisy(scenes(30)), scenes(30, seed=9)]))
    expected = group(images)
    rng = np.random.default_rng(0)
    for _ in range(3):
        assert group([images[i] for i in rng.permutation(len(images))]) == expected


def test_other_ids_give_the_same_groups_by_other_names() -> None:
    thumbs = np.concatenate([scenes(30), noisy(scenes(30)), noisy(scenes(30), seed=2)])
    rng = np.random.default_rng(0)
    for _ in range(3):
        order = rng.permutation(len(thumbs))
        groups = group(fingerprints(thumbs[order], first_id=0))
        members = {
            frozenset(order[i] % 30 for i in groups if groups[i] == g) for g in groups.values()
        }
        assert members == {frozenset([k]) for k in range(30)}


def test_new_images_leave_the_groups_of_others_alone() -> None:
    first = fingerprints(np.concatenate([scenes(30), noisy(scenes(15))]))
    before = group(first)
    after = group(first + fingerprints(noisy(scenes(40), seed=5), first_id=1000))
    assert {image: after[image] for image in before} == before


def test_nothing_and_one() -> None:
    assert group([]) == {}
    assert group(fingerprints(scenes(1), first_id=7)) == {7: 7}


def test_rows_of_an_older_version_join_only_by_nearly_equal_hashes() -> None:
    image, other = fingerprints(scenes(2))
    old = [
        Fingerprint(
            10 + bits, image.phash ^ ((1 << bits) - 1), image.phash_mirror ^ 0xFFFF << 20, None
        )
        for bits in (2, 7)
    ]
    assert group([image, other, *old]) == {1: 1, 2: 2, 12: 1, 17: 17}


def linked(strong: list[str], weak: dict[str, float]) -> Edges:
    """Edges between rows a, b, c, …"""
    found = dict.fromkeys(strong, 1.0) | weak
    rows = [[ord(letter) - ord("a") for letter in pair] for pair in found]
    return Edges(np.array(rows, np.int64), np.array(list(found.values()), np.float32))


@pytest.mark.parametrize(
    ("strong", "weak", "expected"),
    [
        # Strong links join through others.
        (["ab", "bc", "cd"], {}, "aaaa"),
        # Weak ones do not: b goes with whom it is more like.
        ([], {"ab": 0.92, "bc": 0.91}, "aac"),
        ([], {"ab": 0.91, "bc": 0.92}, "abb"),
        # Where all are linked, weakly will do.
        ([], {"ab": 0.92, "bc": 0.91, "ac": 0.9}, "aaa"),
        # A chain of four breaks in the middle.
        ([], {"ab": 0.93, "bc": 0.92, "cd": 0.91}, "aacc"),
        # A weak link between members counts if the clusters' first images are linked too …
        (["ab", "cd"], {"bd": 0.92, "ac": 0.9}, "aaaa"),
        # … and not if they are not.
        (["ab", "cd"], {"bd": 0.94}, "aacc"),
        # Inside of a cluster it changes nothing.
        (["ab", "bc"], {"ac": 0.92}, "aaa"),
    ],
)
def test_the_rule(strong: list[str], weak: dict[str, float], expected: str) -> None:
    edges = linked(strong, weak)
    table = {
        frozenset(pair): likeness
        for pair, likeness in zip(edges.ends.tolist(), edges.likeness.tolist(), strict=True)
    }

    def likeness(pairs: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.array([table.get(frozenset(pair), 0) for pair in pairs.tolist()], np.float32)

    for order in permutations(range(len(edges.ends))):
        shuffled = Edges(edges.ends[list(order)], edges.likeness[list(order)])
        found = join(len(expected), shuffled, likeness)
        assert "".join(chr(ord("a") + first) for first in found) == expected


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many pairs are compared."""
    counter: Counter[str] = Counter()
    original = links.likeness

    def counting(features: Features, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
        counter["pairs"] += len(pairs)
        return original(features, pairs)

    for module in (crowds, links):
        monkeypatch.setattr(module, "likeness", counting)
    return counter


def test_a_hundred_thousand_times_the_same_is_compared_with_nothing(
    compared: Counter[str],
) -> None:
    only, old = fingerprints(scenes(1))[0], None
    for descriptor in (only.descriptor, old):
        images = [
            Fingerprint(i, only.phash, only.phash_mirror, descriptor) for i in range(1, 100_001)
        ]
        assert set(group(images).values()) == {1}
    assert compared["pairs"] == 0


def test_a_crowd_of_one_hash_is_compared_with_its_first(compared: Counter[str]) -> None:
    only = fingerprints(scenes(1))[0]
    crowd = noisy(scenes(1).repeat(5000, 0))
    images = [
        Fingerprint(i, only.phash, only.phash_mirror, thumb.tobytes())
        for i, thumb in enumerate(crowd, 1)
    ]
    assert set(group(images).values()) == {1}
    assert compared["pairs"] == 4999


def test_a_crowd_of_near_hashes_is_compared_about_once_each(compared: Counter[str]) -> None:
    low = np.random.default_rng(1).uniform(0, 0.05, (2, 3000)).astype(np.float32)
    rows, columns = (resampling(part, part + np.float32(0.95)) for part in low)
    crops = rows @ scenes(1).astype(np.float32) @ columns.transpose(0, 2, 1)
    images = fingerprints(crops.astype(np.uint8))
    assert len({image.phash for image in images}) > 50
    assert set(group(images).values()) == {1}
    assert compared["pairs"] < 3 * len(images)


def test_strangers_of_one_hash_are_compared_with_the_first_few(compared: Counter[str]) -> None:
    only = fingerprints(scenes(1))[0]
    images = [
        Fingerprint(i, only.phash, only.phash_mirror, thumb.tobytes())
        for i, thumb in enumerate(scenes(2000), 1)
    ]
    assert len(set(group(images).values())) == 2000
    assert compared["pairs"] < 8 * 2000
