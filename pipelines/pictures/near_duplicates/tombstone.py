"""What remains of a forgotten photo: enough to know a copy of it, too little to see anything.

A descriptor is a picture, if a small one, and hashes of its windows still are its outline. So
nothing of the picture is kept but answers to a question that only a copy can ask: of 255 slow waves
that the photo is made of, `_WORD` whose sign no crop by up to 5 % an edge can turn are put through
scrypt, with a salt of their own. Whoever has a copy computes the same signs and gets the same
digest; whoever has not must try them out, 2^40 times scrypt a word, and then holds forty signs.
Sixteen words stand for the sixteen ways in which the four edges may lie: less, or more, than
2.5 % cut away. `_HINT` signs that all crops share are kept as they are, so that strangers are
told apart without scrypt.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.descriptor import is_descriptor, resampling, thumbnails

_WAVES = 16
_HINT, _WORD = 16, 40
_CROP, _STEPS = 0.05, 5
_HALVES = (slice(0, 3), slice(2, 5))
# A wave as weak as this may change its sign when a picture is compressed; pixels are 0 to 255.
_WEAKEST = 8.0
_SALT_BYTES, _DIGEST_BYTES = 16, 16
SCRYPT: Final = {"n": 1 << 13, "r": 8, "p": 1, "dklen": _DIGEST_BYTES}
"""Costs 20 ms and 8 MiB a word: somebody who tries words out has 2^40 of them to pay for."""

_FORM = np.dtype(
    [
        ("version", "u1"),
        ("salt", "u1", _SALT_BYTES),
        ("hint_waves", "u1", _HINT),
        ("hint_signs", "u1", _HINT // 8),
        ("waves", "u1", (16, _WORD)),
        ("digests", "u1", (16, _DIGEST_BYTES)),
    ]
)
_VERSION: Final = 1
TOMBSTONE_BYTES: Final = _FORM.itemsize

_Floats = NDArray[np.float32]


def tombstone(descriptor: bytes) -> bytes | None:
    """What is kept of a photo that is forgotten.

    Args:
        descriptor: of `pipelines.pictures.near_duplicates.descriptor`.

    Returns:
        `TOMBSTONE_BYTES` bytes, other ones at every call; None for a picture with too little to
        see on it (a wall, a sky), of which no copy could be told from strangers.
    """
    if not is_descriptor(descriptor):
        return None
    crops = _crops(thumbnails([descriptor])[0])
    hint, signs, weakest = _steady(crops.reshape(-1, _WAVES**2), _HINT, ())
    found = np.zeros((), _FORM)
    salt = secrets.token_bytes(_SALT_BYTES)
    for number, (top, bottom, left, right) in enumerate(product(_HALVES, repeat=4)):
        cell = crops[top, bottom, left, right].reshape(-1, _WAVES**2)
        waves, word, least = _steady(cell, _WORD, hint)
        weakest = min(weakest, least)
        found["waves"][number] = waves
        found["digests"][number] = np.frombuffer(_digest(word, salt), np.uint8)
    if weakest < _WEAKEST:
        return None
    found["version"] = _VERSION
    found["salt"] = np.frombuffer(salt, np.uint8)
    found["hint_waves"], found["hint_signs"] = hint, np.packbits(signs)
    return found.tobytes()


@dataclass(frozen=True)
class Tombstones:
    """Those of all forgotten photos, to compare others with.

    Attributes:
        rows: of `tombstone`; one of another version is like nothing.
    """

    rows: Sequence[bytes]

    def like(self, descriptor: bytes) -> int | None:
        """Which of them this picture is a copy of, as it is or mirrored; None if of none.

        A copy may be compressed again, resized, and cropped by up to 5 % an edge.

        Args:
            descriptor: of the picture.
        """
        if not len(self._known) or not is_descriptor(descriptor):
            return None
        seen = _spectrum(thumbnails([descriptor])[0])
        for signs in (seen > 0, seen * _MIRROR > 0):
            hints = np.packbits(signs[self._known["hint_waves"]], axis=1)
            for at in np.flatnonzero((hints == self._known["hint_signs"]).all(axis=1)):
                if _matches(self._known[at], signs):
                    return int(self._places[at])
        return None

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        readable = [len(row) == TOMBSTONE_BYTES and row[0] == _VERSION for row in self.rows]
        return np.flatnonzero(readable)

    @cached_property
    def _known(self) -> NDArray[np.void]:
        return np.frombuffer(b"".join(self.rows[at] for at in self._places), _FORM)


def _matches(row: np.void, signs: NDArray[np.bool_]) -> bool:
    salt = row["salt"].tobytes()
    return any(
        secrets.compare_digest(_digest(signs[waves], salt), digest.tobytes())
        for waves, digest in zip(row["waves"], row["digests"], strict=True)
    )


def _digest(word: NDArray[np.bool_], salt: bytes) -> bytes:
    return hashlib.scrypt(np.packbits(word).tobytes(), salt=salt, **SCRYPT)


def _steady(
    crops: _Floats, number: int, without: Sequence[int] | NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], float]:
    """The waves whose sign is surest in all crops (N, 256): which, their signs, the least margin.

    They come in the order of their numbers, which says nothing of their size.
    """
    up = crops.mean(axis=0) > 0
    margin = np.where(up, crops, -crops).min(axis=0)
    # The first wave is the brightness, whose sign everybody knows.
    margin[0] = -np.inf
    margin[list(without)] = -np.inf
    chosen = np.sort(np.argsort(-margin, kind="stable")[:number])
    return chosen, up[chosen], float(margin[chosen].min())


def _crops(thumb: NDArray[np.uint8]) -> _Floats:
    """(5, 5, 5, 5, 256): the waves of all crops, by what is cut off top, bottom, left and right."""
    cut = np.linspace(0, _CROP, _STEPS, dtype=np.float32)
    low, high = (each.ravel() for each in np.meshgrid(cut, 1 - cut, indexing="ij"))
    lines = _COSINES @ resampling(low, high)  # (25, 16, 32)
    picture = thumb.astype(np.float32)
    rows = lines @ picture
    found = np.einsum("afx,bgx->abfg", rows, lines, optimize=True)
    return np.asarray(found.reshape(*[_STEPS] * 4, _WAVES**2), np.float32)


def _spectrum(thumb: NDArray[np.uint8]) -> _Floats:
    """(256,): the waves of a whole small picture."""
    return np.asarray((_COSINES @ thumb.astype(np.float32) @ _COSINES.T).ravel(), np.float32)


def _cosines() -> _Floats:
    angles = np.pi * (2 * np.arange(32) + 1) / 64
    return np.cos(np.arange(_WAVES)[:, None] * angles).astype(np.float32)


_COSINES: Final = _cosines()
_MIRROR: Final = np.tile(np.where(np.arange(_WAVES) % 2, -1, 1), _WAVES).astype(np.float32)
"""Mirroring a picture turns the waves that are odd across."""
