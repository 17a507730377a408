"""Descriptors are small, survive copying, and give the hashes of an image's windows."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.pictures.near_duplicates.descriptor import (
    WINDOWS,
    descriptor,
    is_descriptor,
    thumbnails,
    window_hashes,
)
from pipelines.pictures.perceptual import hamming, perceptual_hashes, reduced

Pixels = npt.NDArray[np.uint8]


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (33, 31), (64, 64), (700, 500)])
def test_any_size_gives_1024_bytes(shape: tuple[int, int]) -> None:
    data = descriptor(np.full((*shape, 3), 130, np.uint8))
    assert data == bytes([130]) * 1024
    assert is_descriptor(data)


def test_it_is_the_image_made_small(astronaut: Pixels) -> None:
    expected = cv2.cvtColor(
        cv2.resize(astronaut, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    found = thumbnails([descriptor(astronaut)])[0]
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_a_reduced_image_gives_the_same(astronaut: Pixels) -> None:
    small = reduced(astronaut)
    assert small.shape == (64, 64, 3)
    assert descriptor(small) == descriptor(astronaut)
    assert perceptual_hashes(small) == perceptual_hashes(astronaut)


@pytest.mark.parametrize("data", [None, b"", bytes(1023), bytes(2304)])
def test_what_is_no_descriptor(data: bytes | None) -> None:
    assert not is_descriptor(data)


def test_thumbnails_refuse_another_length() -> None:
    with pytest.raises(ValueError, match="1024 bytes"):
        thumbnails([bytes(1024), bytes(1023)])


def test_windows_hash_like_the_image_cropped_to_them(astronaut: Pixels) -> None:
    hashes = window_hashes(thumbnails([descriptor(astronaut)]))[0].tolist()
    assert len(set(hashes)) > 5
    for (top, bottom, left, right), own in zip(WINDOWS.tolist(), hashes, strict=True):
        rows = slice(round(top * 512), round(bottom * 512))
        cut = np.ascontiguousarray(astronaut[rows, round(left * 512) : round(right * 512)])
        assert hamming(own, perceptual_hashes(cut)[0]) <= 4
