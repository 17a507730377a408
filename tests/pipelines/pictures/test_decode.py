"""Crops as files, and what is wrong with a photo as the failure of an item."""

import io

import numpy as np
import pytest
from PIL import Image

from pipelines.pictures.decode import decode, decode_jpeg_crop, encode_jpeg
from pipelines.workspace.errors import ItemError
from sinet.errors import PictureError


def quadrants() -> Image.Image:
    """An upright 48 × 32 image that no flip or turn leaves as it is."""
    rgb = np.zeros((32, 48, 3), np.uint8)
    rgb[:16, :24], rgb[:16, 24:], rgb[16:, :24] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return Image.fromarray(rgb)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty_file"), (b"text\n", "not_an_image"), (b"P6 9 9 255\n", "truncated")],
)
def test_what_the_decoder_refuses_fails_the_item_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ItemError) as caught:
        decode(data, max_pixels=100)
    assert caught.value.reason == reason
    assert isinstance(caught.value.__cause__, PictureError)
    assert str(caught.value) == str(caught.value.__cause__)


def test_crops_hold_pixels_only_and_the_same_bytes_each_time() -> None:
    rgb = np.asarray(quadrants())
    data = encode_jpeg(rgb)
    assert data == encode_jpeg(rgb.copy())
    image = Image.open(io.BytesIO(data))
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not image.getexif()
    assert np.abs(decode_jpeg_crop(data).astype(int) - rgb).mean() < 4
