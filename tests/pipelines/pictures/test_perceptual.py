"""Perceptual hashes stay near for copies and mirror images, and far for others."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.pictures.decode import decode_jpeg_crop, encode_jpeg
from pipelines.pictures.perceptual import hamming, perceptual_hashes

Pixels = npt.NDArray[np.uint8]


def scene(seed: int, height: int = 600, width: int = 437) -> Pixels:
    """A smooth random picture, without symmetry."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


@pytest.mark.parametrize("seed", range(10))
def test_the_mirror_image_swaps_the_pair(seed: int) -> None:
    plain, mirrored = perceptual_hashes(scene(seed))
    other_plain, other_mirrored = perceptual_hashes(np.ascontiguousarray(scene(seed)[:, ::-1]))
    assert hamming(plain, other_mirrored) <= 2
    assert hamming(mirrored, other_plain) <= 2
    assert hamming(plain, mirrored) > 10


@pytest.mark.parametrize(
    "copy",
    [
        lambda rgb: decode_jpeg_crop(encode_jpeg(rgb, 50)),
        lambda rgb: cv2.resize(rgb, None, fx=0.37, fy=0.37, interpolation=cv2.INTER_AREA),
        lambda rgb: cv2.resize(rgb, None, fx=2.1, fy=2.1, interpolation=cv2.INTER_CUBIC),
        lambda rgb: np.clip(rgb * 0.9 + 12, 0, 255).astype(np.uint8),
    ],
    ids=["jpeg", "smaller", "larger", "contrast"],
)
def test_copies_stay_near_and_others_far(copy: Callable[[Pixels], Pixels]) -> None:
    scenes = [scene(seed) for seed in range(10)]
    hashes = [perceptual_hashes(rgb)[0] for rgb in scenes]
    copies = [perceptual_hashes(copy(rgb))[0] for rgb in scenes]
    for i, first in enumerate(hashes):
        for j, second in enumerate(copies):
            assert (hamming(first, second) <= 4) == (i == j)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (40, 30), (300, 64), (256, 257)])
def test_any_size_gives_signed_64_bits(shape: tuple[int, int]) -> None:
    for value in perceptual_hashes(scene(0, *shape)):
        assert -(2**63) <= value < 2**63


def test_both_signs_occur_only_by_the_top_bit() -> None:
    assert hamming(-1, 0) == 64
    assert hamming(-(2**63), 0) == 1
    assert hamming(-1, 2**64 - 1) == 0
    assert hamming(0b1011, 0b0001) == 2
