"""A WebP that was cut off behind its pixels is whole: EXIF and XMP lie at its end."""

import struct
from typing import Final

_HEADER_BYTES: Final = 12
_PIXELS: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})


def cleaned(data: bytes) -> bytes:
    """Return a file without a last chunk that is cut off, unless it holds pixels.

    Args:
        data: a RIFF file.
    """
    if int.from_bytes(data[4:8], "little") + 8 <= len(data):
        return data
    at = _HEADER_BYTES
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        end = at + 8 + size
        if end > len(data):
            if kind in _PIXELS:
                return data
            break
        at = end + (size & 1)
    body = data[8:at].ljust(at - 8, b"\0")  # with the padding of the last chunk
    return data[:4] + struct.pack("<I", len(body)) + body
