"""JPEG through libjpeg-turbo, and whether all of a picture is there.

libjpeg draws what is missing of a cut-off file grey and goes on; whoever trains on it learns grey.
But a file that only lacks its end marker has lost nothing.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import simplejpeg

Pixels = npt.NDArray[np.uint8]

_END: Final = b"\xff\xd9"
_START_OF_SCAN: Final = 0xDA
_PROGRESSIVE: Final = 0xC2
_FRAMES: Final = frozenset({0xC0, 0xC1, _PROGRESSIVE})
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length behind them
# In a scan, FF is data if 00 follows, a restart if D0 to D7 do, and filling before another FF.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_COEFFICIENTS: Final = 64
# What a cut-off file is filled up with, also between its restarts: noise, which no table of codes
# takes for empty blocks, without FF, which would be a marker.
_FILLINGS: Final = tuple(
    np.random.default_rng(seed).integers(0, 255, 4096, np.uint8).tobytes() for seed in (1, 2)
)
_RESTARTS_FILLED: Final = 16


def pixels(data: bytes, colours: Literal["RGB", "L"]) -> Pixels:
    """Decode the first picture of a file, without turning it.

    Args:
        data: the file.
        colours: those of the file, as Pillow names them.

    Returns:
        uint8 (H, W, 3) for RGB, (H, W) for L.

    Raises:
        EOFError: the file is cut off.
        ValueError: it is damaged, or odd: Pillow may know better.
    """
    space = "RGB" if colours == "RGB" else "GRAY"
    try:
        found = simplejpeg.decode_jpeg(data, space)  # raises where libjpeg warns
    except ValueError as error:
        if "remature end" in str(error) and not is_whole(data):
            raise EOFError("data is missing at its end") from error
        found = simplejpeg.decode_jpeg(_ended(data), space, strict=False)
    return np.asarray(found if space == "RGB" else found[..., 0], np.uint8)


def whole(data: bytes) -> bytes:
    """Return a file for another decoder, with an end marker.

    Raises:
        EOFError: it is cut off.
    """
    try:
        simplejpeg.decode_jpeg(data, "CMYK" if _components(data) == 4 else "RGB")
    except ValueError as error:
        if "remature end" in str(error):
            if not is_whole(data):
                raise EOFError("data is missing at its end") from error
            return _ended(data)
    return data


def _ended(data: bytes) -> bytes:
    *_, (marker, _, _) = [(0, 0, 0), *_segments(data)]
    return data if marker == _END[1] else _body(data) + _END


def is_whole(data: bytes) -> bool:
    """Tell whether a file, which may lack its end marker, holds all pixels.

    It is decoded twice, with different bits behind its last byte: where no pixel depends on them,
    nothing is missing. And all scans that the picture is made of must have begun.
    """
    body = _body(data)
    space = "CMYK" if _components(data) == 4 else "RGB"
    try:
        first, second = (
            simplejpeg.decode_jpeg(body + _filled(body, bits) + _END, space, strict=False)
            for bits in _FILLINGS
        )
    except ValueError:
        return False
    return _has_all_scans(body) and np.array_equal(first, second)


def _filled(body: bytes, bits: bytes) -> bytes:
    """Return bits, and more of them behind the restarts that would have come next."""
    last = max((body.rfind(b"\xff" + bytes([each])), each) for each in range(0xD0, 0xD8))
    begun = last[1] - 0xCF if last[0] >= 0 else 0
    restarts = (bytes([0xFF, 0xD0 + (begun + more) % 8]) for more in range(_RESTARTS_FILLED))
    return bits + b"".join(restart + bits for restart in restarts)


def _body(data: bytes) -> bytes:
    """Return a file up to its end marker, or what it has of it."""
    for marker, start, _ in _segments(data):
        if marker == _END[1]:
            return data[:start]
    return data.rstrip(b"\xff")


def _components(data: bytes) -> int:
    return next((data[start + 5] for mark, start, _ in _segments(data) if mark in _FRAMES), 0)


def _has_all_scans(data: bytes) -> bool:
    """Tell whether every coefficient of every component is sent to its last bit."""
    wanted: set[int] = set()
    sent: dict[int, set[int]] = {}
    progressive = False
    for marker, start, end in _segments(data):
        content = data[start:end]
        if marker in _FRAMES:
            progressive = marker == _PROGRESSIVE
            wanted = set(content[6::3])
        elif marker == _START_OF_SCAN:
            first, last, bits = content[-3:]
            if not progressive:
                first, last, bits = 0, _COEFFICIENTS - 1, 0
            for component in content[1:-3:2]:
                if bits & 15 == 0:
                    sent.setdefault(component, set()).update(range(first, last + 1))
    return bool(wanted) and all(len(sent.get(each, ())) == _COEFFICIENTS for each in wanted)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each whole segment; of the end marker where it lies."""
    at = 2
    while at + 4 <= len(data) or data[at : at + 2] == _END:
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == _END[1]:
            yield marker, at, at + 2
            return
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
            if end > len(data):
                return
            yield marker, at + 4, end
            at = end
            if marker == _START_OF_SCAN:
                following = _NEXT_MARKER.search(data, at)
                if following is None:
                    return
                at = following.start()
