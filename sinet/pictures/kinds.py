"""What a file is, told by its first bytes rather than by its name."""

from typing import Final

# What a crawl delivers. Not all that Pillow can open: EPS would start Ghostscript, and
# formats without a signature turn stray files into noise. TGA has none: it comes last.
FORMATS: Final = (
    "JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP",
    "JPEG2000", "ICO", "PSD", "QOI", "PPM", "TGA",
)  # fmt: skip

_HEIC_BRANDS: Final = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_VIDEO_BRANDS: Final = (b"isom", b"iso2", b"mp41", b"mp42", b"qt  ", b"M4V ", b"avc1", b"dash")


def guess(data: bytes) -> str:
    """Say what a file that is no picture seems to be, and what to do about it."""
    head = data[:1024].lstrip().lower()
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in _HEIC_BRANDS:
        return "it looks like HEIC, which is not read here; convert it to JPEG or PNG"
    if data[:2] == b"\xff\x0a" or data[4:12] == b"JXL \r\n\x87\n":
        return "it looks like JPEG XL, which is not read here; convert it to JPEG or PNG"
    if brand == b"crx ":
        return "it looks like a camera's raw file; export it as JPEG or PNG"
    if brand in _VIDEO_BRANDS:
        return "it looks like a video; leave it out"
    if data[:4] == b"PK\x03\x04":
        return "it is a zip archive; unpack it"
    if data[:6] == b"\x93NUMPY":
        return "it is a numpy array; save it as PNG"
    if head.startswith((b"<!doctype", b"<html")):
        return "it is an HTML page, probably an error page; fetch the file again"
    if b"<svg" in head:
        return "it looks like SVG, a drawing without pixels; leave it out"
    if head.startswith((b'{"', b"<?xml")):
        return "it is a text of a server, probably an error message; fetch the file again"
    if not any(data[:1024]):
        return "it starts with zero bytes, probably a broken download; fetch the file again"
    return f"it starts with {data[:12]!r}; check what was fetched"
