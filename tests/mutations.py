"""Files as disks, networks and enemies leave them: mutated from good ones, the same for a seed."""

import random
from collections.abc import Callable

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MARKERS = (b"\xff\xd8", b"\xff\xda", b"IHDR", b"IDAT", b"RIFF", b"VP8L", b"II*\0", b"ftyp")


def mutated(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """One mutation, or several, of a file's content.

    Args:
        data: the file.
        other: another file's content, to be spliced in.
        chance: decides which.
    """
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(_MUTATIONS)(data or b"\0", other, chance)
    return data


def _flip_bits(data: bytes, _: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _number in range(chance.choice((1, 3, 30, 300))):
        changed[_place(data, chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut_off(data: bytes, _: bytes, chance: random.Random) -> bytes:
    return data[: _place(data, chance)]


def _cut_out(data: bytes, _: bytes, chance: random.Random) -> bytes:
    start, end = _range(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, _: bytes, chance: random.Random) -> bytes:
    start, end = _range(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 2, 8)) + data[end:]


def _swap(data: bytes, _: bytes, chance: random.Random) -> bytes:
    a, b, c, d = sorted(_place(data, chance) for _number in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _clear(data: bytes, _: bytes, chance: random.Random) -> bytes:
    start, end = _range(data, chance)
    return data[:start] + bytes(end - start) + data[end:]


def _extreme_number(data: bytes, _: bytes, chance: random.Random) -> bytes:
    """A length, a size, an offset: somewhere near the beginning, where they are."""
    size = chance.choice((1, 2, 4))
    value = (chance.choice(_EXTREMES) & (1 << 8 * size) - 1).to_bytes(
        size, chance.choice(("big", "little"))
    )
    at = chance.randrange(min(len(data), 512))
    return data[:at] + value + data[at + size :]


def _marker(data: bytes, _: bytes, chance: random.Random) -> bytes:
    at, marker = _place(data, chance), chance.choice(_MARKERS)
    return data[:at] + marker + data[at + len(marker) :]


def _append(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data + chance.choice((other, other[: _place(other, chance)], data))


def _splice(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: _place(data, chance)] + other[_place(other, chance) :]


def _place(data: bytes, chance: random.Random) -> int:
    """Every other one is in the first kilobyte: heads decide more than pixels do."""
    end = len(data) if chance.random() < 0.5 else min(len(data), 1024)
    return chance.randrange(max(1, end))


def _range(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = _place(data, chance)
    return start, min(len(data), start + chance.choice((1, 4, 64, 4096)))


_MUTATIONS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    _flip_bits, _cut_off, _cut_out, _repeat, _swap, _clear, _extreme_number, _marker, _append,
    _splice,
)  # fmt: skip
