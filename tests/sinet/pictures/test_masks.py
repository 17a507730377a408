"""A mask says what it means, or is refused with what was seen and the option that settles it."""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from sinet.errors import PictureError
from sinet.pictures.mask_options import MaskOptions
from sinet.pictures.masks import VOC_COLOURS, read_mask

HEIGHT, WIDTH = 120, 90
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
PERSON = (np.hypot(ROWS - 40, COLUMNS - 45) < 22) | ((ROWS > 58) & (abs(COLUMNS - 45) < 34))
SOFA = (ROWS > 80) & ~PERSON
WHITE = Image.fromarray(PERSON.astype(np.uint8) * 255)
SOFT = WHITE.filter(ImageFilter.GaussianBlur(2))
PHOTO = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)

PARTS = np.where(PERSON, 1 + ROWS % 5, 0).astype(np.uint8)

Mask = npt.NDArray[np.bool_]


def save(image: Image.Image, fmt: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def levels(person: float, rest: float, dtype: str = "u1") -> Image.Image:
    return Image.fromarray(np.where(PERSON, person, rest).astype(dtype))


def classes(*numbers: int) -> npt.NDArray[np.uint8]:
    """Background, sofa and person, and a rim of whatever comes fourth."""
    rest, sofa, person, *rim = numbers
    found = np.where(PERSON, person, np.where(SOFA, sofa, rest)).astype(np.uint8)
    if rim:
        around = np.asarray(WHITE.filter(ImageFilter.MaxFilter(5))) > 0
        inside = np.asarray(WHITE.filter(ImageFilter.MinFilter(5))) > 0
        found[around & ~inside] = rim[0]
    return found


def palette(indices: npt.NDArray[np.uint8], colours: list[int]) -> Image.Image:
    image = Image.fromarray(indices, "P")
    image.putpalette(b"".join(struct.pack(">I", colour)[1:] for colour in colours))
    return image


def coloured(indices: npt.NDArray[np.uint8], colours: list[int]) -> Image.Image:
    return palette(indices, colours).convert("RGB")


def with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    image = image.copy()
    image.putalpha(alpha)
    return image


VOC = list(VOC_COLOURS)
CLEAR: dict[str, tuple[bytes, str]] = {
    "0 and 255": (save(WHITE), "black and white"),
    "1 bit": (save(WHITE.convert("1")), "black and white"),
    "1 bit, white is zero": (
        save(WHITE.convert("1"), "TIFF", tiffinfo={262: 0}, compression="group4"),
        "black and white",
    ),
    "0 and 1": (save(levels(1, 0)), "0 and 1"),
    "0 and 1 in 16 bits": (save(levels(1, 0, "u2")), "0 and 1"),
    "0 and 65535": (save(levels(65535, 0, "u2")), "black and white, PNG 16-bit"),
    "0 and 255 in 16 bits": (save(levels(255, 0, "u2")), "black and white, PNG 16-bit"),
    "video range": (save(levels(235, 16)), "black and white"),
    "floats": (save(levels(1, 0, "f4"), "TIFF"), "black and white, TIFF floating point"),
    "saved as colour": (save(WHITE.convert("RGB"), "BMP"), "black and white"),
    "soft edges": (save(SOFT), "black and white, with soft edges"),
    "soft edges in 16 bits": (
        save(Image.fromarray(np.asarray(SOFT).astype(np.uint16) * 257)),
        "black and white, with soft edges, PNG 16-bit",
    ),
    "JPEG": (save(WHITE, "JPEG", quality=60), "black and white, compressed"),
    "colour JPEG": (save(WHITE.convert("RGB"), "JPEG"), "black and white, compressed"),
    "WebP": (save(WHITE.convert("RGB"), "WEBP", quality=60), "black and white, compressed"),
    "CMYK": (save(WHITE.convert("RGB").convert("CMYK"), "TIFF"), "black and white"),
    "GIF": (save(WHITE, "GIF"), "black and white"),
    "red on black": (save(coloured(classes(0, 0, 1), [0, 0xFF0000])), "one colour on black"),
    "red on black, JPEG": (
        save(coloured(classes(0, 0, 1), [0, 0xFF0000]), "JPEG", quality=95, subsampling=0),
        "one colour on black",
    ),
    "LabelMe's first class": (save(palette(classes(0, 0, 1), VOC)), "one colour on black"),
    "one index on black": (
        save(palette(classes(0, 0, 7), [0] * 7 + [0x20C040])),
        "one colour on black",
    ),
    "VOC": (save(palette(classes(0, 18, 15), VOC)), "palette of 21 classes: person is index 15"),
    "VOC's colours": (
        save(coloured(classes(0, 18, 15), VOC)),
        "PASCAL VOC's colours: person",
    ),
    "RGBA cut-out": (save(with_alpha(Image.fromarray(PHOTO), WHITE)), "alpha of a cut-out"),
    "LA cut-out": (
        save(with_alpha(Image.fromarray(PHOTO).convert("L"), WHITE)),
        "alpha of a cut-out",
    ),
    "soft cut-out": (save(with_alpha(Image.fromarray(PHOTO), SOFT)), "alpha of a cut-out"),
    "WebP cut-out": (
        save(with_alpha(Image.fromarray(PHOTO), WHITE), "WEBP", lossless=True),
        "alpha of a cut-out",
    ),
    "AVIF cut-out, soft": (
        save(with_alpha(Image.fromarray(PHOTO), WHITE), "AVIF", quality=60),
        "alpha of a cut-out",
    ),
    "white with alpha": (save(with_alpha(Image.new("L", WHITE.size, 255), WHITE)), "alpha"),
    "mask with alpha that says nothing": (
        save(with_alpha(WHITE, Image.new("L", WHITE.size, 255))),
        "black and white",
    ),
    "transparent palette": (
        save(palette(classes(0, 0, 1), [0x8080, 0xC04020]), transparency=0),
        "alpha",
    ),
}


@pytest.mark.parametrize("name", CLEAR)
def test_what_is_clear_is_read_and_said(name: str) -> None:
    data, how = CLEAR[name]
    found = read_mask(data)
    assert found.how == how
    wrong = np.count_nonzero(found.person != PERSON)
    # Lossy formats and blurring move the edge by a pixel here and there.
    assert wrong <= (0 if "JPEG" not in name and "soft" not in name and name != "WebP" else 60)


def test_void_of_voc_is_nobody() -> None:
    indices = classes(0, 18, 15, 255)
    found = read_mask(save(palette(indices, VOC)))
    np.testing.assert_array_equal(found.person, indices == 15)
    as_colours = read_mask(save(coloured(indices, VOC)))
    np.testing.assert_array_equal(as_colours.person, indices == 15)


UNCLEAR: dict[str, tuple[bytes, str]] = {
    "classes 0, 1, 2": (save(Image.fromarray(classes(0, 1, 2))), r"0 \(.* %\), 1 .*--mask-class N"),
    "class 15": (save(levels(15, 0)), r"15 \(.* %\).*--mask-class N"),
    "0 and 128": (save(levels(128, 0)), "--mask-class N"),
    "1 and 2": (save(levels(1, 2)), "--mask-class N"),
    "0, 1 and void": (save(Image.fromarray(classes(0, 0, 1, 255))), "255.*--mask-class N"),
    "many classes and void": (save(Image.fromarray(classes(0, 9, 15, 255))), "--mask-class N"),
    "trimap": (
        save(Image.fromarray(classes(0, 0, 255, 128))),
        "trimap; say which .*--mask-class N",
    ),
    "trimap as JPEG": (save(Image.fromarray(classes(0, 128, 255)), "JPEG"), "--mask-class N"),
    "16-bit instances": (save(levels(24001, 7000, "u2")), "24001.*16-bit"),
    "a photograph": (save(Image.fromarray(PHOTO)), "colours, like a photograph"),
    "a grey photograph": (save(Image.fromarray(PHOTO).convert("L")), "levels from"),
    "red and green": (
        save(coloured(classes(0, 1, 2), [0, 0xFF0000, 0x00FF00])),
        r"#00ff00.*--mask-class '#rrggbb'",
    ),
    "white and red": (
        save(coloured(classes(0, 0, 1), [0xFFFFFF, 0xFF0000])),
        r"#ff0000.*--mask-class '#rrggbb'",
    ),
    "a palette of its own": (
        save(palette(classes(0, 1, 2), [0, 0xFF0000, 0x00FF00])),
        r"2 #00ff00 .*--mask-class N",
    ),
    "class 15 in a grey palette": (
        save(palette(classes(0, 0, 15), [level * 0x10101 for level in range(256)])),
        r"15 #0f0f0f .*--mask-class N",
    ),
    "VOC without person": (
        save(palette(classes(0, 0, 9), VOC)),
        r"without person \(15\).*9 #c00000",
    ),
    "alpha and colour disagree": (
        save(with_alpha(WHITE, Image.fromarray((SOFA * 255).astype(np.uint8)))),
        "different masks; say which is the mask: --mask-channel alpha or",
    ),
    "classes on transparency": (
        save(
            with_alpha(
                coloured(classes(0, 1, 2), [0, 0xFF0000, 0x00FF00]),
                Image.fromarray(((PERSON | SOFA) * 255).astype(np.uint8)),
            )
        ),
        "--mask-channel alpha",
    ),
    "transparent everywhere": (
        save(with_alpha(Image.fromarray(PHOTO), Image.new("L", WHITE.size, 0))),
        "transparent everywhere",
    ),
    "grey": (save(Image.new("L", WHITE.size, 128)), "level 128"),
    "numbers that are none": (save(levels(float("nan"), 0, "f4"), "TIFF"), "not finite"),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_unclear_is_refused_with_what_was_seen_and_what_settles_it(name: str) -> None:
    data, told = UNCLEAR[name]
    with pytest.raises(PictureError, match=told) as caught:
        read_mask(data)
    assert caught.value.reason == "mask_not_binary"
    assert "\n" not in str(caught.value)


def said(**options: Any) -> MaskOptions:
    return MaskOptions(**options)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (Image.fromarray(classes(0, 1, 2)), said(person_class=2)),
        (levels(15, 0), said(person_class="15")),
        (levels(15, 0), said(person_class="1-3,15,17")),
        (Image.fromarray(PARTS), said(person_class="1-5")),
        (Image.fromarray(PARTS), said(person_class="5-3,1,2")),
        (palette(PARTS, VOC), said(person_class="1,2,3-5")),
        (levels(24001, 7000, "u2"), said(person_class=24001)),
        (palette(classes(0, 1, 2), [0, 0xFF0000, 0xFF00]), said(person_class=2)),
        (palette(classes(0, 1, 2), [0, 0xFF0000, 0xFF00]), said(person_class="#00FF00")),
        (coloured(classes(0, 1, 2), [0, 0xFF0000, 0xFF00]), said(person_class="#00ff00")),
        (with_alpha(Image.fromarray(PHOTO), WHITE), said(channel="alpha")),
        (with_alpha(WHITE, Image.fromarray(PHOTO).convert("L")), said(channel="colour")),
        (levels(0, 255), said(invert=True)),
        (levels(0, 1), said(invert=True)),
        (with_alpha(Image.fromarray(PHOTO), levels(0, 255)), said(channel="alpha", invert=True)),
        (Image.fromarray(classes(2, 1, 0)), said(person_class=0)),
    ],
)
def test_an_option_settles_it(image: Image.Image, options: MaskOptions) -> None:
    kind = "TIFF" if image.mode == "F" else "PNG"
    np.testing.assert_array_equal(read_mask(save(image, kind), options).person, PERSON)


@pytest.mark.parametrize(
    ("image", "options", "told"),
    [
        (WHITE, said(channel="alpha"), "no alpha channel"),
        (WHITE, said(person_class="#00ff00"), "no colours"),
        (coloured(classes(0, 1, 2), [0, 0xFF0000, 0xFF00]), said(person_class=2), "no numbers"),
    ],
)
def test_an_option_that_does_not_fit_is_told(
    image: Image.Image, options: MaskOptions, told: str
) -> None:
    with pytest.raises(PictureError, match=told):
        read_mask(save(image), options)


@pytest.mark.parametrize("value", ["person", "-1", "1,", "1--2", "#12345", "#ggg000", 1.5])
def test_a_mistyped_class_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="person_class"):
        MaskOptions(person_class=value)


@pytest.mark.parametrize(("level", "how"), [(0, "all black"), (255, "all white")])
def test_empty_and_full_masks_are_masks(level: int, how: str) -> None:
    found = read_mask(save(Image.new("L", (8, 8), level)))
    assert found.how == how
    assert bool(found.person.all()) == bool(found.person.any()) == bool(level)


def test_a_mask_in_lab_is_read() -> None:
    lab = Image.merge("LAB", (WHITE, *(Image.new("L", WHITE.size, 128) for _ in "ab")))
    np.testing.assert_array_equal(read_mask(save(lab, "TIFF")).person, PERSON)


def test_a_numpy_array_is_told_to_be_one() -> None:
    buffer = io.BytesIO()
    np.save(buffer, PERSON)
    with pytest.raises(PictureError, match="numpy array; save it as PNG"):
        read_mask(buffer.getvalue())


def test_a_cut_off_mask_is_truncated() -> None:
    with pytest.raises(PictureError) as caught:
        read_mask(save(WHITE)[:-40])
    assert caught.value.reason == "truncated"
