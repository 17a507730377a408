"""Every mode, orientation and profile becomes upright sRGB; every bad file a typed error."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from sinet.errors import PictureError
from sinet.pictures.decode import decode
from sinet.pictures.kinds import FORMATS

MAX = 10_000_000
# The whole list: a file that starts to fail, or stops failing, is a change to look at.
MIXED_FAILURES = {
    "pillow__Tests__images__broken_data_stream.png": "decode_failed",
    "pillow__Tests__images__not_enough_data.jp2": "truncated",
    "pillow__Tests__images__pngtest_bad.png.bin": "not_an_image",
    "pillow__Tests__images__truncated_end_chunk.png": "truncated",
}

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def mixed(shared: Path) -> Path:
    return shared / "data" / "crawl" / "mixed"


def save(image: Image.Image, fmt: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> Pixels:
    rgb = decode(data, max_pixels=MAX).rgb
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    assert rgb.shape[2] == 3
    assert rgb.flags.c_contiguous
    return rgb


def reason(data: bytes, max_pixels: int = MAX) -> str:
    with pytest.raises(PictureError) as caught:
        decode(data, max_pixels=max_pixels)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def quadrants() -> Image.Image:
    """An upright 48 × 32 image that no flip or turn leaves as it is."""
    rgb = np.zeros((32, 48, 3), np.uint8)
    rgb[:16, :24], rgb[:16, 24:], rgb[16:, :24] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return Image.fromarray(rgb)


# What a camera stores so that tag value N turns it upright: the inverse of N's own turn.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("fmt", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_exif_orientation_is_applied_once(
    orientation: int, fmt: str, options: dict[str, Any]
) -> None:
    turn = STORED[orientation]
    stored = quadrants() if turn is None else quadrants().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = pixels(save(stored, fmt, exif=exif, **options))
    np.testing.assert_allclose(rgb, np.asarray(quadrants()), atol=40)
    assert np.abs(rgb.astype(int) - np.asarray(quadrants())).mean() < 4


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff", b"Exif\0\0"])
def test_invalid_exif_is_ignored(exif: bytes) -> None:
    assert pixels(save(quadrants(), "JPEG", exif=exif)).shape == (32, 48, 3)


def rgba(colour: tuple[int, int, int, int]) -> Image.Image:
    return Image.new("RGBA", (4, 4), colour)


def transparent_palette() -> bytes:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 100, 0])
    return save(image, "PNG", transparency=1)


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        (save(Image.new("1", (4, 4), 1), "PNG"), (255, 255, 255), 0),
        (save(Image.new("L", (4, 4), 77), "PNG"), (77, 77, 77), 0),
        (save(Image.new("L", (4, 4), 77), "PNG", transparency=77), (255, 255, 255), 0),
        (save(Image.new("LA", (4, 4), (0, 51)), "PNG"), (204, 204, 204), 0),
        (save(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3)), (255,) * 3, 0),
        (save(rgba((255, 0, 0, 51)), "PNG"), (255, 204, 204), 0),
        (save(rgba((9, 9, 9, 0)), "WEBP", lossless=True), (255, 255, 255), 0),
        (transparent_palette(), (255, 255, 255), 0),
        (save(rgba((10, 200, 30, 255)).convert("RGB").quantize(4), "GIF"), (10, 200, 30), 0),
        (save(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"), (255, 0, 0), 0),
        (save(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG", quality=100), (255, 0, 0), 3),
        (save(Image.new("CMYK", (4, 4), 0), "JPEG"), (255, 255, 255), 1),
        (save(Image.new("YCbCr", (4, 4), (76, 85, 255)), "TIFF"), (254, 0, 0), 2),
        (save(Image.new("LAB", (4, 4), (255, 128, 128)), "TIFF"), (255, 255, 255), 1),
        (save(Image.new("I", (4, 4), 300), "TIFF"), (1, 1, 1), 0),
        (save(Image.new("F", (4, 4), 0.5), "TIFF"), (128, 128, 128), 0),
        (save(Image.new("F", (4, 4), float("nan")), "TIFF"), (0, 0, 0), 0),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb_over_white(
    data: bytes, expected: tuple[int, int, int], tolerance: int
) -> None:
    np.testing.assert_allclose(pixels(data)[2, 2], expected, atol=tolerance)


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_sixteen_bit_grey_is_scaled_not_clipped(fmt: str, mode: str) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype("<u2" if mode == "I;16" else ">u2")
    image = Image.frombytes(mode, (256, 1), ramp.tobytes())
    np.testing.assert_array_equal(pixels(save(image, fmt))[0, :, 1], np.arange(256))


@pytest.mark.parametrize(("low", "high"), [(-5.0, 7.0), (0.0, 1e6), (-1e9, 1e9)])
def test_floats_without_a_customary_range_use_their_own(low: float, high: float) -> None:
    image = Image.fromarray(np.linspace(low, high, 256, dtype=np.float32)[None])
    np.testing.assert_allclose(pixels(save(image, "TIFF"))[0, :, 0], np.arange(256), atol=1)


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for fmt in ("GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO"):
        data = save(frames[0], fmt, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(pixels(data)[4, 4], (255, 0, 0), atol=3, err_msg=fmt)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("facenet__data__test_images_aligned__paul_rudd__1.png", "RGB"),  # Adobe RGB
        ("facerec__examples__knn_examples__train__kit_harington__john2.jpeg", "RGB"),  # ProPhoto
        ("skimage__src___skimage2__data__page.png", "L"),  # dot gain, a grey profile
    ],
)
def test_profiles_are_converted_as_imagecms_does(mixed: Path, name: str, mode: str) -> None:
    data = (mixed / name).read_bytes()
    image = Image.open(io.BytesIO(data))
    source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    target = ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    assert image.mode == mode
    assert expected is not None
    np.testing.assert_array_equal(pixels(data), np.asarray(expected))
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - pixels(data)).max() > 10


def test_a_profile_of_the_wrong_colour_space_is_ignored(mixed: Path) -> None:
    page = Image.open(mixed / "skimage__src___skimage2__data__page.png")
    data = save(quadrants(), "PNG", icc_profile=page.info["icc_profile"])
    np.testing.assert_array_equal(pixels(data), np.asarray(quadrants()))


def test_an_srgb_profile_changes_nothing_and_a_broken_one_is_ignored() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile", srgb[:200]):
        data = save(quadrants(), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(pixels(data), np.asarray(quadrants()))


def png_bomb(side: int) -> bytes:
    """A grey PNG of side × side black pixels, a thousandth of that in bytes."""
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_by_its_header() -> None:
    bomb = png_bomb(20_000)
    assert len(bomb) < 400_000
    assert reason(bomb, max_pixels=100_000_000) == "too_many_pixels"
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 32, 32, 0, 0, 1, 32, len(bomb), 22) + bomb
    assert reason(icon) == "too_many_pixels"


def test_the_pixel_limit_is_inclusive() -> None:
    data = save(quadrants(), "PNG")
    assert decode(data, max_pixels=48 * 32).rgb.shape == (32, 48, 3)
    assert reason(data, max_pixels=48 * 32 - 1) == "too_many_pixels"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty_file"),
        (b"this is a text file named .jpg\n", "not_an_image"),
        (b"<!DOCTYPE html><title>404</title>", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "not_an_image"),
        (bytes(5000), "not_an_image"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(64), "decode_failed"),
    ],
)  # fmt: skip
def test_what_is_no_image(data: bytes, expected: str) -> None:
    assert reason(data) == expected


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("fmt", "options"),
    [(fmt, {}) for fmt in FORMATS if fmt not in ("JPEG2000", "PSD", "QOI")]
    + [("TIFF", {"compression": "tiff_lzw"}), ("JPEG2000", {"no_jp2": False})],
)
def test_a_cut_off_file_is_truncated(fmt: str, options: dict[str, Any], kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = save(Image.fromarray(noise), fmt, **options)
    assert reason(data[: int(len(data) * kept)]) == "truncated"


def test_every_file_of_a_real_crawl_decodes_or_fails_with_its_reason(mixed: Path) -> None:
    failures = {}
    files = sorted(mixed.iterdir())
    for path in files:
        try:
            pixels(path.read_bytes())
        except PictureError as error:
            failures[path.name] = error.reason
    assert failures == MIXED_FAILURES
    assert len(files) == 131


def test_threads_agree_with_one(mixed: Path) -> None:
    data = [path.read_bytes() for path in sorted(mixed.glob("imagenet__*"))]
    with ThreadPoolExecutor(4) as pool:
        for one, many in zip(map(pixels, data), pool.map(pixels, data), strict=True):
            np.testing.assert_array_equal(one, many)


def test_memory_errors_are_not_blamed_on_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    data = save(quadrants(), "PNG")
    monkeypatch.setattr(Image.Image, "load", exhausted)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", exhausted)
    with pytest.raises(MemoryError):
        decode(data, max_pixels=MAX)
