"""What is wrong outside of the pixels costs no photo; what is really cut off fails."""

import gzip
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from sinet.errors import PictureError
from sinet.pictures.decode import decode
from tests.sinet.pictures.test_decode import quadrants, save

PHOTO = Image.fromarray(
    np.clip(np.random.default_rng(0).normal(120, 50, (90, 120, 3)), 0, 255).astype(np.uint8)
)


def png(*chunks: tuple[bytes, bytes], **options: Any) -> bytes:
    """A PNG with further chunks behind its header."""
    data = save(quadrants(), "PNG", **options)
    more = b"".join(chunk(kind, content) for kind, content in chunks)
    return data[:33] + more + data[33:]


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    checksum = zlib.crc32(kind + content) ^ wrong
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def reason(data: bytes, **limits: int) -> str:
    with pytest.raises(PictureError) as caught:
        decode(data, **limits)
    return caught.value.reason


LONG = zlib.compress(bytes(3 << 20))
INTACT = {
    "packed text over Pillow's limit": png((b"zTXt", b"Comment\0\0" + LONG)),
    "international text over the limit": png((b"iTXt", b"Comment\0\1\0\0\0" + LONG)),
    "plain text over the limit": png((b"tEXt", b"Comment\0" + b"x" * (2 << 20))),
    "texts over the limit together": png(*[(b"tEXt", b"C\0" + b"x" * 1_000_000)] * 70),
    "profile over the limit": png((b"iCCP", b"Huge\0\0" + LONG)),
    "text packed in an unknown way": png((b"zTXt", b"Comment\0\7packed")),
    "profile packed in an unknown way": png((b"iCCP", b"Profile\0\7packed")),
    "no end marker": png()[:-12],
    "half an end marker": png()[:-7],
    "cut within a comment at the end": png()[:-12] + chunk(b"tEXt", b"C\0" + b"x" * 99)[:40],
    "something behind the end": png() + b"trailing",
}


@pytest.mark.parametrize("name", INTACT)
def test_a_png_is_read_whatever_is_wrong_beside_its_pixels(name: str) -> None:
    np.testing.assert_array_equal(decode(INTACT[name]).rgb, np.asarray(quadrants()))


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"eXIf", b"tIME", b"iCCP", b"gAMA"])
def test_a_wrong_checksum_of_an_ancillary_chunk_costs_nothing(kind: bytes) -> None:
    data = save(quadrants(), "PNG")
    data = data[:33] + chunk(kind, b"broken\0\0content", wrong=1) + data[33:]
    np.testing.assert_array_equal(decode(data).rgb, np.asarray(quadrants()))


def test_a_wrong_checksum_of_pixels_is_damage() -> None:
    data = bytearray(save(PHOTO, "PNG"))
    data[-13] ^= 1  # of the last chunk before the end marker
    assert reason(bytes(data)) == "decode_failed"


def test_a_profile_too_large_for_pillow_is_still_applied(shared: Path) -> None:
    """Tables of an output device take megabytes: what they say of the colours counts."""
    source = shared / "data/crawl/mixed/facenet__data__test_images_aligned__paul_rudd__1.png"
    image = Image.open(source)
    profile = image.info["icc_profile"] + bytes(2 << 20)
    padded = struct.pack(">I", len(profile)) + profile[4:]
    data = save(image, "PNG", icc_profile=padded)
    np.testing.assert_array_equal(decode(data).rgb, decode(source.read_bytes()).rgb)


def test_what_texts_say_of_the_orientation_still_counts() -> None:
    info = PngImagePlugin.PngInfo()
    xmp = '<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    info.add_itxt("XML:com.adobe.xmp", xmp)
    data = save(quadrants(), "PNG", pnginfo=info)
    broken = data[:33] + chunk(b"tEXt", b"C\0x", wrong=1) + data[33:]
    assert decode(broken).rgb.shape == (48, 32, 3)


JPEGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_blocks": 4},
    "grey": {"mode": "L"},
    "CMYK": {"mode": "CMYK"},
}


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    return save(PHOTO.convert(mode), "JPEG", quality=90, **options)


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("lost", [1, 2])
def test_a_jpeg_without_its_end_marker_is_whole(name: str, lost: int) -> None:
    data = jpeg(**JPEGS[name])
    np.testing.assert_array_equal(decode(data[:-lost]).rgb, decode(data).rgb)


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("lost", [20, 100, 1000])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_cut_off_jpeg_is_truncated_even_if_somebody_closed_it(
    name: str, lost: int, end: bytes
) -> None:
    assert reason(jpeg(**JPEGS[name])[:-lost] + end) == "truncated"


def test_a_progressive_jpeg_that_lacks_its_last_scans_is_truncated() -> None:
    data = jpeg(progressive=True)
    last_scan = data.rfind(b"\xff\xda")
    tables = data.rfind(b"\xff\xc4", 0, last_scan)
    assert reason(data[:tables]) == "truncated"


def test_a_pillow_gif_without_its_end_marker_is_whole() -> None:
    data = save(PHOTO.quantize(64), "GIF")
    np.testing.assert_array_equal(decode(data[:-1]).rgb, decode(data).rgb)


@pytest.mark.parametrize("lost", [1, 2, 7, 11, 40])
def test_a_webp_that_was_cut_off_behind_its_pixels_is_whole(lost: int) -> None:
    # The last byte of an odd chunk is padding.
    options = {"exif": Image.Exif().tobytes(), "xmp": b"<x:xmpmeta/>" * 3}
    data = save(PHOTO.copy(), "WEBP", lossless=True, **options)
    np.testing.assert_array_equal(decode(data[:-lost]).rgb, np.asarray(PHOTO))
    assert reason(data[: data.index(b"EXIF") - lost - 1]) == "truncated"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"JFIF\0\1\1", b"JFIF\0\x99\1"), (b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\7\1")],
    ids=["unknown revision", "profile of seven parts"],
)
def test_odd_segments_of_a_jpeg_cost_nothing(old: bytes, new: bytes) -> None:
    data = jpeg(icc_profile=bytes(200))
    assert data.count(old) == 1
    np.testing.assert_array_equal(decode(data.replace(old, new)).rgb, decode(jpeg()).rgb)


def test_of_a_tiff_the_largest_page_counts() -> None:
    small, large = PHOTO.resize((30, 20)), PHOTO.copy()
    for pages in ([small, large], [large, small], [small, large, small]):
        data = save(pages[0], "TIFF", save_all=True, append_images=pages[1:])
        np.testing.assert_array_equal(decode(data).rgb, np.asarray(large))


def test_a_raw_file_is_not_its_preview() -> None:
    """DNG is a TIFF: Pillow would take the thumbnail in it for the photo."""
    data = save(PHOTO, "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(PictureError, match="raw file; export it as JPEG or PNG"):
        decode(data)


def test_a_picture_packed_with_gzip_is_unpacked() -> None:
    np.testing.assert_array_equal(decode(gzip.compress(jpeg())).rgb, decode(jpeg()).rgb)
    assert reason(gzip.compress(b"text")) == "not_an_image"
    assert reason(gzip.compress(jpeg())[:-100]) == "truncated"


def test_memory_is_bounded_in_bytes() -> None:
    data = save(PHOTO, "PNG")
    pixels = PHOTO.width * PHOTO.height
    assert decode(data, max_memory_bytes=7 * pixels).rgb.shape == (90, 120, 3)
    assert reason(data, max_memory_bytes=7 * pixels - 1) == "too_much_memory"
    grey = save(PHOTO.convert("L"), "PNG")
    assert decode(grey, max_memory_bytes=4 * pixels).rgb.shape == (90, 120, 3)


_PEAK = """
import resource, sys
from sinet.pictures.decode import decode
small, large = (open(name, "rb").read() for name in sys.argv[1:])
decode(small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(large)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.parametrize(
    ("mode", "kind", "bytes_a_pixel"),
    [("I;16", "PNG", 5), ("RGBA", "PNG", 7), ("L", "JPEG", 4), ("P", "PNG", 4), ("F", "TIFF", 11)],
)
def test_decoding_takes_the_memory_that_is_reckoned(
    tmp_path: Path, mode: str, kind: str, bytes_a_pixel: int
) -> None:
    """A 16-bit PNG of 233 kB took 4 GB: 40 bytes a pixel."""
    side = 4000
    files = []
    for pixels in (8, side):
        files.append(tmp_path / f"{pixels}")
        Image.new(mode, (pixels, pixels)).save(files[-1], kind)
    ran = subprocess.run(
        [sys.executable, "-c", _PEAK, *map(str, files)], capture_output=True, text=True
    )
    assert ran.stderr == ""
    # The bands and the interpreter's own needs on top.
    assert int(ran.stdout) < bytes_a_pixel * side**2 + 40e6


@pytest.mark.parametrize("form", [{}, {"no_jp2": True}, {"tile_size": (64, 64)}])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_jpeg_2000_that_only_lacks_its_end_marker(
    form: dict[str, Any], *, lossless: bool
) -> None:
    data = save(PHOTO, "JPEG2000", irreversible=not lossless, **form)
    assert data.endswith(b"\xff\xd9")
    for cut in (data[:-1], data[:-2]):
        np.testing.assert_array_equal(decode(cut).rgb, decode(data).rgb)
    for lost in (3, 10, len(data) // 2):
        assert reason(data[:-lost]) in ("truncated", "decode_failed")
