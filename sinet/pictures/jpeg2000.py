"""JPEG 2000 without its end: a file that only lacks its end marker has lost nothing.

A codestream is a header and tile parts, each of which says how long it is, and an end marker of two
bytes. Where the last tile part ends with the file, everything is there. (AVIF has no end marker:
what its file lacks, its picture lacks.)
"""

from typing import Final

_BOXES: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
_START, _TILE_PART, _END = b"\xff\x4f", b"\xff\x90", b"\xff\xd9"
_CODESTREAM: Final = b"jp2c"


def whole(data: bytes) -> bytes:
    """Return a file with its end marker, if that is all it lacks; any other as it is."""
    at = _codestream(data)
    if at is None or data[at : at + 2] != _START:
        return data
    at += 2
    while data[at : at + 2] != _TILE_PART:
        if len(data) < at + 4 or data[at] != _END[0]:
            return data
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    while data[at : at + 2] == _TILE_PART:
        length = int.from_bytes(data[at + 6 : at + 10])
        if length < 14:  # 0: up to the end marker, wherever that is
            return data
        at += length
    left = data[at:]
    return data + _END[len(left) :] if at <= len(data) and left in (b"", _END[:1]) else data


def _codestream(data: bytes) -> int | None:
    """Return where it begins; None: there is none, or no whole box before it."""
    if data[:2] == _START:
        return 0
    if not data.startswith(_BOXES):
        return None
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        begins = at + (16 if size == 1 else 8)
        if kind == _CODESTREAM:
            return begins
        if size < 8:
            return None
        at += size
    return None
