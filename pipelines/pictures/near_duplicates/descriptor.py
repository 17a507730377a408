"""What near-duplicates are told by: a small grey picture, and perceptual hashes of its windows.

A copy cropped by 5 % has a pHash some 8 bits, in one of twenty cases 14 bits, from its original's,
which is as far as strangers are. But it lies within 1.25 % of one of nine windows of the original,
and the pHash of that window is mostly within 4 bits. So the original is looked up by its windows,
which are cut from the small picture: no file is read again.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.perceptual import reduced

SIDE_PX: Final = 32
"""Side of the small picture; a descriptor has SIDE_PX² bytes."""

_CROP = 0.05
_STARTS = (0.0, _CROP / 2, _CROP)
WINDOWS: Final[NDArray[np.float32]] = np.array(
    [(0, 1, 0, 1)] + [(y, y + 1 - _CROP, x, x + 1 - _CROP) for y in _STARTS for x in _STARTS],
    np.float32,
)
"""(10, 4): top, bottom, left, right as shares of height and width. The whole picture, then the nine
windows that random crops by 5 % lie closest to."""

_PHASH_PX, _FREQUENCIES = 32, 8
_BATCH = 4096


def descriptor(rgb: NDArray[np.uint8]) -> bytes:
    """Describe an image for the comparison with near-duplicates.

    Args:
        rgb: uint8 (H, W, 3), sRGB, channels R, G, B; H, W ≥ 1.

    Returns:
        A grey copy of 32 × 32 pixels, aspect ratio not kept: 1,024 bytes, row by row.
    """
    grey = cv2.cvtColor(reduced(rgb), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).tobytes()


def is_descriptor(data: bytes | None) -> bool:
    """Whether this is a descriptor of this version; rows of older versions have none."""
    return data is not None and len(data) == SIDE_PX**2


def thumbnails(descriptors: Sequence[bytes]) -> NDArray[np.uint8]:
    """Read descriptors as pictures: uint8 (N, 32, 32).

    Raises:
        ValueError: one of them is of another length.
    """
    if not all(is_descriptor(data) for data in descriptors):
        raise ValueError(f"a descriptor has {SIDE_PX**2} bytes")
    return np.frombuffer(b"".join(descriptors), np.uint8).reshape(-1, SIDE_PX, SIDE_PX)


def window_hashes(thumbs: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash the windows of small pictures as `perceptual_hashes` hashes whole images.

    The whole picture's hash is within 2 bits of its image's in 19 of 20 cases.

    Args:
        thumbs: uint8 (N, 32, 32).

    Returns:
        uint64 (N, 10), in the order of `WINDOWS`.
    """
    hashes = np.empty((len(thumbs), len(WINDOWS)), np.uint64)
    for column, (top, bottom, left, right) in enumerate(WINDOWS.tolist()):
        rows, columns = _window_dct(top, bottom), _window_dct(left, right)
        for start in range(0, len(thumbs), _BATCH):
            batch = thumbs[start : start + _BATCH].astype(np.float32)
            hashes[start : start + _BATCH, column] = _pack(
                np.asarray(rows @ batch @ columns.T, np.float32)
            )
    return hashes


def resampling(low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make matrices that stretch parts of a line of 32 pixels to its full length, bilinearly.

    Args:
        low: float32 (N,), where each part begins; 0 is the line's beginning and 1 its end.
        high: float32 (N,), where it ends. Beyond the line, its last pixel goes on.

    Returns:
        float32 (N, 32, 32): multiplied by a column of 32 pixels, the stretched part.
    """
    centres = (np.arange(SIDE_PX, dtype=np.float32) + 0.5) / SIDE_PX
    at = (low[:, None] + (high - low)[:, None] * centres) * SIDE_PX - 0.5
    pixels = np.arange(SIDE_PX, dtype=np.float32)
    weights = 1 - np.abs(np.clip(at, 0, SIDE_PX - 1)[..., None] - pixels)
    return np.asarray(np.maximum(weights, 0), np.float32)


def _window_dct(low: float, high: float) -> NDArray[np.float32]:
    """(8, 32): the lowest frequencies of a part of a line, stretched to what pHash looks at."""
    stretch = resampling(np.array([low], np.float32), np.array([high], np.float32))[0]
    angles = np.pi * (2 * np.arange(_PHASH_PX) + 1) / (2 * _PHASH_PX)
    cosines = np.cos(np.arange(_FREQUENCIES)[:, None] * angles)
    return np.asarray(cosines @ stretch, np.float32)


def _pack(spectra: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Hashes of (N, 8, 8) spectra: which values lie above their median, from the top bit on."""
    flat = spectra.reshape(len(spectra), -1)
    # Sorting is much quicker than numpy's median, which is the mean of the same two.
    middle = flat.shape[1] // 2
    between = np.sort(flat, axis=1)[:, middle - 1 : middle + 1]
    bits = flat > between.mean(axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
