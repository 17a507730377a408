"""Perceptual hashes: near-copies of an image, also mirrored ones, get near-equal numbers."""

import cv2
import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from sinet.resample import shrink

# pHash looks at 32 × 32 pixels; twice that leaves its own smooth reduction something to do
# and keeps the numbers within a bit or two of hashing the full image.
_REDUCED_PX = 64
_WORD = (1 << 64) - 1


def perceptual_hashes(rgb: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Return the 64-bit pHash of an image and that of its mirror image.

    The mirror image's pair is this pair swapped, but for a bit or two of rounding: an image
    and its mirrored copy are found by comparing the first number of one with both numbers
    of the other. Images without structure (one flat colour) all have the same hash.

    Args:
        rgb: uint8 (H, W, 3), sRGB, channels R, G, B; H, W ≥ 1.

    Returns:
        Two signed 64-bit integers, -2**63 to 2**63 - 1, as a BIGINT column holds them.
    """
    grey = cv2.cvtColor(reduced(rgb), cv2.COLOR_RGB2GRAY)
    return _phash(grey), _phash(np.ascontiguousarray(grey[:, ::-1]))


def reduced(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return all that `perceptual_hashes` looks at, for whoever computes more from it.

    Args:
        rgb: uint8 (H, W, 3); H, W ≥ 1.

    Returns:
        uint8 (h, w, 3), h and w at most 64: its hashes and its reduction are those of `rgb`.
    """
    height, width = rgb.shape[:2]
    return shrink(rgb, min(width, _REDUCED_PX), min(height, _REDUCED_PX))


def hamming(a: int, b: int) -> int:
    """Return how many of the 64 bits differ, 0 to 64; either sign convention will do."""
    return ((a ^ b) & _WORD).bit_count()


def _phash(grey: npt.NDArray[np.generic]) -> int:
    """Return the pHash of a grey uint8 (H, W) image as a signed 64-bit integer."""
    bits = imagehash.phash(Image.fromarray(grey)).hash  # bool (8, 8), low frequencies first
    return int(np.packbits(bits).view(">i8")[0])
