"""Brush results are the SDK's to the byte, and nothing odd comes through."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipelines.label_studio.rle import RleError, decode_mask, encode_mask
from pipelines.pictures.decode import decode

Mask = npt.NDArray[np.bool_]


def sdk_encode(mask: Mask) -> list[int]:
    from label_studio_sdk.converter.brush import mask2rle

    return mask2rle(mask.astype(np.uint8) * np.uint8(255))


def sdk_decode(rle: list[int], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    from label_studio_sdk.converter.brush import decode_rle

    return decode_rle(rle).reshape(*shape, 4)[..., 3]


def disc(height: int, width: int) -> Mask:
    y, x = np.mgrid[:height, :width]
    return np.asarray((x - width / 2) ** 2 + (y - height / 2) ** 2 < (width / 3) ** 2)


@settings(max_examples=150, deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_random_masks_are_the_sdks_bytes_and_come_back(mask: Mask) -> None:
    rle = encode_mask(mask)
    assert rle == sdk_encode(mask)
    assert np.array_equal(decode_mask(rle, *mask.shape), mask * np.uint8(255))


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((300, 400), np.bool_),
        np.ones((300, 400), np.bool_),
        np.ones((128, 128), np.bool_),  # one run of exactly the longest length
        np.ones((128, 129), np.bool_),
        disc(613, 457),
        np.indices((50, 60)).sum(0) % 2 == 0,
        np.ones((1, 1), np.bool_),
    ],
    ids=["empty", "full", "longest", "longer", "disc", "checkers", "pixel"],
)
def test_known_masks_are_the_sdks_bytes_and_come_back(mask: Mask) -> None:
    rle = encode_mask(mask)
    assert rle == sdk_encode(mask)
    assert np.array_equal(decode_mask(rle, *mask.shape), mask * np.uint8(255))


def test_real_masks_are_the_sdks_bytes_and_come_back(shared: Path) -> None:
    for file in sorted((shared / "data/eg1800/masks").glob("*.png"))[:6]:
        mask = decode(file.read_bytes(), max_pixels=10**8).rgb[..., 0] > 127
        rle = encode_mask(mask)
        assert rle == sdk_encode(mask)
        assert np.array_equal(decode_mask(rle, *mask.shape), mask * np.uint8(255))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bits_a_browser_may_write_decode_as_the_sdk_decodes_them(data: st.DataObject) -> None:
    """Literals, other sizes and grey edges, which our encoder never writes."""
    height, width = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 8))
    count = height * width * 4
    sizes = data.draw(st.lists(st.integers(1, 16), min_size=4, max_size=4))
    bits = f"{count:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    done = 0
    while done < count:
        choice = data.draw(st.integers(0, 3))
        length = data.draw(st.integers(1, min(count - done, 1 << sizes[choice])))
        run = data.draw(st.booleans())
        bits += f"{int(run)}{choice:02b}{length - 1:0{sizes[choice]}b}"
        for _ in range(1 if run else length):
            bits += f"{data.draw(st.integers(0, 255)):08b}"
        done += length
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    assert np.array_equal(decode_mask(rle, height, width), sdk_decode(rle, (height, width)))


def test_a_cut_off_result_is_an_error_and_not_a_mask() -> None:
    rle = encode_mask(disc(60, 40))
    for length in (0, 5, 8, len(rle) // 2, len(rle) - 4):
        with pytest.raises(RleError):
            decode_mask(rle[:length], 60, 40)


@pytest.mark.parametrize(
    ("rle", "size", "message"),
    [
        (encode_mask(disc(60, 40)), (40, 30), "not those of 30×40"),
        ([256, 0, 0], (1, 1), "not a list of bytes"),
        ([], (1, 1), "0 values"),
    ],
)
def test_what_is_no_mask_of_this_size_is_an_error(
    rle: list[int], size: tuple[int, int], message: str
) -> None:
    with pytest.raises(RleError, match=message):
        decode_mask(rle, *size)
