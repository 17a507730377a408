"""Whether a file carries content credentials (C2PA), told by its structure; nothing is verified."""

from collections.abc import Iterator
from typing import Final

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_UUID: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_TIFF_TAG: Final = 0xCD41


def has_credentials(data: bytes) -> bool:
    """Whether there is a manifest store where C2PA puts it in a file of this kind.

    Args:
        data: of a JPEG, PNG, WebP, TIFF, AVIF or HEIC; of anything else the answer is no.
    """
    if data[:3] == b"\xff\xd8\xff":
        return any(marker == 0xEB and b"c2pa" in body for marker, body in _jpeg_segments(data))
    if data[:8] == _PNG:
        return any(kind == b"caBX" for kind in _png_chunks(data))
    if data[:4] == b"RIFF":
        return any(kind == b"C2PA" for kind in _riff_chunks(data))
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _has_tiff_tag(data, "little" if data[:2] == b"II" else "big")
    if data[4:8] == b"ftyp":
        return any(kind == b"uuid" and user == _UUID for kind, user in _boxes(data))
    return False


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment before the pixels."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:  # the pixels
            return
        size = int.from_bytes(data[at + 2 : at + 4])
        if size < 2:
            return
        yield marker, data[at + 4 : at + 2 + size]
        at += 2 + size


def _png_chunks(data: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    while at + 8 <= len(data):
        yield data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4])


def _riff_chunks(data: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        yield data[at : at + 4]
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind of each box, and the 16 bytes that say whose it is if it is nobody's standard."""
    at = 0
    while at + 8 <= len(data):
        size, start = int.from_bytes(data[at : at + 4]), at + 8
        kind = data[at + 4 : at + 8]
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16]), at + 16
        yield kind, data[start : start + 16]
        if size < 8:  # to the end of the file
            return
        at += size


def _has_tiff_tag(data: bytes, order: str) -> bool:
    """Whether the first directory has C2PA's tag."""

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if order == "little" else "big")

    start = number(4, 4)
    entries = range(start + 2, min(start + 2 + 12 * number(start, 2), len(data)), 12)
    return any(number(at, 2) == _TIFF_TAG for at in entries)
