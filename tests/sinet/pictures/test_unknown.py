"""What masks leave open: rims are of no matter, wide areas are told."""

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sinet.pictures.fitting import upright
from sinet.pictures.mask_options import MaskOptions
from sinet.pictures.masks import VOC_COLOURS, read_mask
from sinet.pictures.unknown import is_wide

Pixels = npt.NDArray[np.uint8]
ROWS, COLUMNS = np.mgrid[:300, :240]
PERSON = np.hypot(ROWS - 150, COLUMNS - 120) < 70
RIM = (np.abs(np.hypot(ROWS - 150, COLUMNS - 120) - 72)) < 3
AREA = (ROWS > 240) & (COLUMNS > 60)
VOID = 255


def classes(person: int, other: int, *, area: bool) -> Pixels:
    numbers = np.where(PERSON, person, np.where(ROWS < 60, other, 0))
    return np.where(RIM | (AREA & area), VOID, numbers).astype(np.uint8)


def palette(numbers: Pixels) -> Image.Image:
    image = Image.fromarray(numbers, "P")
    image.putpalette([channel for colour in VOC_COLOURS for channel in colour.to_bytes(3, "big")])
    return image


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("area", [False, True])
@pytest.mark.parametrize(
    ("image", "said"),
    [
        (lambda area: palette(classes(15, 9, area=area)), None),
        (lambda area: palette(classes(15, 9, area=area)), "15"),
        (lambda area: palette(classes(15, 9, area=area)).convert("RGB"), None),
        (lambda area: palette(classes(15, 9, area=area)).convert("RGB"), "#c08080"),
        (lambda area: Image.fromarray(classes(11, 7, area=area)), "11"),
        (lambda area: Image.fromarray(classes(1, 0, area=area)), "1"),
        (lambda area: Image.fromarray(classes(12, 24, area=area)), "12,24"),
    ],
)
def test_void_is_left_open(image: object, said: str | None, *, area: bool) -> None:
    read = read_mask(png(image(area)), MaskOptions(person_class=said)).understood  # type: ignore[operator]
    assert read.unknown is not None
    np.testing.assert_array_equal(read.unknown, RIM | (AREA & area))
    assert not (read.person & read.unknown).any()
    assert read.how.endswith("wide areas left open") == area


def test_a_trimap_of_which_white_is_said_to_be_the_person() -> None:
    grey = np.where(PERSON, 255, np.where(np.hypot(ROWS - 150, COLUMNS - 120) < 95, 128, 0))
    read = read_mask(png(Image.fromarray(grey.astype(np.uint8))), MaskOptions(person_class="255"))
    assert read.understood.unknown is not None
    np.testing.assert_array_equal(read.understood.unknown, grey == 128)
    assert read.how == "level 255, wide areas left open"


@pytest.mark.parametrize(
    ("levels", "said"),
    [((0, 128, 255), "128"), ((0, 1, 2), "1"), ((0, 255), "255"), ((0, 15, 254), "15")],
)
def test_other_levels_are_background(levels: tuple[int, ...], said: str) -> None:
    numbers = np.array(levels, np.uint8)[np.minimum(ROWS // 100, len(levels) - 1)]
    read = read_mask(png(Image.fromarray(numbers)), MaskOptions(person_class=said))
    assert read.understood.unknown is None


def test_it_is_turned_with_the_mask() -> None:
    image = palette(classes(15, 9, area=True))
    read = read_mask(png(image)).understood
    photo = np.random.default_rng(0).integers(60, 120, (240, 300, 3)).astype(np.uint8)
    photo[np.rot90(PERSON, -1)] += 120  # the picture, turned as EXIF 6 says
    turned = upright(read, (6, 1), (240, 300), lambda: photo)
    assert turned.unknown is not None
    np.testing.assert_array_equal(turned.unknown, np.rot90(RIM | AREA, -1))


def test_wide_is_measured_on_the_whole_mask() -> None:
    strip = np.zeros((200, 100), np.bool_)
    strip[:, 40:55] = True
    assert is_wide(strip)
    assert not is_wide(strip, longest=1000)
    assert not is_wide(None)
