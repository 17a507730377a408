"""Likeness is high for copies, low for others, and known where there is nothing to see."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.pictures.near_duplicates.descriptor import descriptor, window_hashes
from pipelines.pictures.near_duplicates.grouping import Fingerprint
from pipelines.pictures.near_duplicates.verify import STRONG, WEAK, Features, likeness
from pipelines.pictures.perceptual import perceptual_hashes
from tests.pipelines.pictures.near_duplicates.copies import COPIES, Copy, fingerprint
from tests.pipelines.pictures.near_duplicates.plain_likeness import plain_likeness

Pixels = npt.NDArray[np.uint8]


def alike(first: Fingerprint, second: Fingerprint) -> float:
    """Of two fingerprints, the same in both orders."""
    features = Features.of(
        [(image.phash, image.phash_mirror) for image in (first, second)],
        [first.descriptor, second.descriptor],
    )
    one, other = likeness(features, np.array([(0, 1), (1, 0)])).tolist()
    assert one == pytest.approx(other, abs=1e-6)
    return one


def without_descriptor(image: Fingerprint, flipped_bits: int = 0) -> Fingerprint:
    bits = (1 << flipped_bits) - 1
    return Fingerprint(image.image_id, image.phash ^ bits, image.phash_mirror ^ bits, None)


@pytest.mark.parametrize("copy", [copy for copy, _ in COPIES.values()], ids=list(COPIES))
def test_copies_are_strongly_alike(astronaut: Pixels, copy: Copy) -> None:
    rng = np.random.default_rng(3)
    original = fingerprint(1, astronaut)
    for image_id in range(2, 12):
        assert alike(original, fingerprint(image_id, copy(astronaut, rng))) >= STRONG


def test_a_lighter_copy_of_less_contrast_is_the_same(astronaut: Pixels) -> None:
    faded = (astronaut * 0.5 + 90).astype(np.uint8)
    assert alike(fingerprint(1, astronaut), fingerprint(2, faded)) >= STRONG


def test_the_negative_and_the_picture_upside_down_are_others(astronaut: Pixels) -> None:
    original = fingerprint(1, astronaut)
    for other in (255 - astronaut, np.ascontiguousarray(astronaut[::-1])):
        assert alike(original, fingerprint(2, other)) < 0.5


def test_half_of_the_picture_is_not_the_picture(astronaut: Pixels) -> None:
    half = np.ascontiguousarray(astronaut[:, :300])
    assert alike(fingerprint(1, astronaut), fingerprint(2, half)) < WEAK


@pytest.mark.parametrize(("second", "expected"), [(120, 1.0), (121, 1.0), (140, 0.0)])
def test_flat_pictures_are_alike_if_equally_bright(second: int, expected: float) -> None:
    flat = [np.full((50, 40, 3), grey, np.uint8) for grey in (120, second)]
    assert alike(fingerprint(1, flat[0]), fingerprint(2, flat[1])) == expected


def test_a_flat_picture_is_like_no_photo(astronaut: Pixels) -> None:
    grey = np.full((50, 40, 3), int(astronaut.mean()), np.uint8)
    assert alike(fingerprint(1, grey), fingerprint(2, astronaut)) == 0


@pytest.mark.parametrize(("bits", "expected"), [(0, WEAK), (2, WEAK), (3, 0), (8, 0)])
def test_without_a_descriptor_only_the_nearest_hash_counts(
    astronaut: Pixels, bits: int, expected: float
) -> None:
    original = fingerprint(1, astronaut)
    old = without_descriptor(fingerprint(2, astronaut), bits)
    assert alike(original, old) == pytest.approx(expected)
    assert alike(without_descriptor(original), old) == pytest.approx(expected)


def test_without_a_descriptor_mirrored_copies_count_too(astronaut: Pixels) -> None:
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    old = Fingerprint(2, *perceptual_hashes(mirrored), None)
    assert alike(fingerprint(1, astronaut), old) == pytest.approx(WEAK)


def test_a_descriptor_of_another_version_is_none(astronaut: Pixels) -> None:
    hashes = [perceptual_hashes(astronaut)] * 3
    features = Features.of(hashes, [descriptor(astronaut), b"\0" * 77, None])
    assert features.described.tolist() == [True, False, False]
    assert likeness(features, np.array([(0, 1), (1, 2)])) == pytest.approx([WEAK, WEAK])


def test_no_pairs() -> None:
    assert likeness(Features.of([], []), np.empty((0, 2), np.int64)).shape == (0,)


def test_the_compiled_loops_find_what_the_formulas_say() -> None:
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (40, 8, 8), np.uint8).repeat(4, 1).repeat(4, 2)
    smooth = np.asarray(
        [cv2.GaussianBlur(each, (0, 0), 1.5) for each in coarse[:20]] + list(coarse[20:]), np.uint8
    )
    shifted = np.roll(smooth, 1, (1, 2))
    noisy = (smooth + rng.normal(0, 25, smooth.shape)).clip(0, 255).astype(np.uint8)
    faint = (smooth // 40 + 100).astype(np.uint8)
    flat = np.full((2, 32, 32), 90, np.uint8)
    flat[1] += 1
    thumbs = np.concatenate([smooth, shifted, noisy, smooth[:, :, ::-1], faint, flat])
    hashes = np.stack(
        [window_hashes(np.ascontiguousarray(each))[:, 0] for each in (thumbs, thumbs[:, :, ::-1])],
        axis=1,
    )
    features = Features.of(list(map(tuple, hashes.tolist())), [each.tobytes() for each in thumbs])
    first, second = np.triu_indices(len(thumbs), 1)
    pairs = np.stack([first, second], axis=1)
    expected = plain_likeness(features, pairs)
    assert np.abs(likeness(features, pairs) - expected).max() < 1e-4
    for low, high in ((-1, 0.5), (0.6, WEAK), (WEAK, STRONG), (STRONG, 0.97), (0.97, 1.01)):
        assert ((low < expected) & (expected < high)).sum() > 5, "pairs of every kind"
