"""What is wrong with a PNG outside of its pixels costs nobody the picture.

Pillow gives a file up for a text of more than a megabyte, a wrong checksum in a comment, or a
missing last chunk. Such chunks are left out before it sees them; pixels are never touched.
"""

import struct
import zlib
from typing import Final, NamedTuple

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_END_KIND: Final = b"IEND"
_END: Final = struct.pack(">I4sI", 0, _END_KIND, zlib.crc32(_END_KIND))
_ANCILLARY: Final = 0x20  # bit of the name's first letter: small, the picture is whole without it
# Pillow's limits: of one text or profile unpacked, and of all texts together.
_TEXT_BYTES: Final = 1 << 20
_ALL_TEXT_BYTES: Final = 64 << 20
_PROFILE_BYTES: Final = 16 << 20  # of an output device with tables: 0.5 to 4 MB


class Cleaned(NamedTuple):
    """A PNG that Pillow reads if its pixels are good."""

    data: bytes
    profile: bytes | None  # a colour profile that was too large for Pillow


def cleaned(data: bytes) -> Cleaned:
    """Leave out damaged and oversized chunks that hold no pixels; end a file that lacks its end.

    A file that is cut off within its pixels stays cut off.

    Raises:
        ValueError: a chunk of pixels has a wrong checksum.
    """
    parts: list[bytes] = []
    profile = None
    texts = 0
    start = at = len(_SIGNATURE)  # what is good from `start` on is copied in one piece
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == _END_KIND:
            break
        end = at + 12 + size
        content = memoryview(data)[at + 8 : end - 4]
        is_good = zlib.crc32(content, zlib.crc32(kind)) == int.from_bytes(data[end - 4 : end])
        if not kind[0] & _ANCILLARY:
            if not is_good and end <= len(data):
                raise ValueError(f"wrong checksum of {kind.decode('ascii', 'replace')}")
        else:
            is_good = is_good and end <= len(data)
            if is_good and kind in (b"tEXt", b"zTXt", b"iTXt"):
                length = _unpacked(kind, bytes(content))
                texts += length
                is_good = length < _TEXT_BYTES and texts < _ALL_TEXT_BYTES
            elif is_good and kind == b"iCCP":
                is_good = _unpacked(kind, bytes(content)) < _TEXT_BYTES
                profile = None if is_good else _profile(bytes(content))
            if not is_good:
                parts.append(data[start:at])
                start = end
        at = end
    if not parts and data[at : at + len(_END)] == _END:
        return Cleaned(data, None)
    is_cut = at > len(data) and start < len(data)  # in a chunk of pixels
    parts.append(data[start:at] if is_cut else data[start:at] + _END)
    return Cleaned(_SIGNATURE + b"".join(parts), profile)


def _unpacked(kind: bytes, content: bytes) -> int:
    """Return the length of a chunk's text or profile, or more than is allowed, once unpacked."""
    _, _, rest = content.partition(b"\0")
    if kind == b"tEXt":
        return len(rest)
    if kind == b"iTXt":
        is_packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        return len(_inflated(rest, _TEXT_BYTES)) if is_packed else len(rest)
    if rest[:1] != b"\0":  # a way of packing that there is not
        return _TEXT_BYTES
    return len(_inflated(rest[1:], _TEXT_BYTES))


def _profile(content: bytes) -> bytes | None:
    unpacked = _inflated(content.partition(b"\0")[2][1:], _PROFILE_BYTES)
    return unpacked if len(unpacked) < _PROFILE_BYTES else None


def _inflated(packed: bytes, limit: int) -> bytes:
    """Return at most `limit` bytes of what was packed; nothing of what is broken."""
    try:
        return zlib.decompressobj().decompress(packed, limit)
    except zlib.error:
        return b""
