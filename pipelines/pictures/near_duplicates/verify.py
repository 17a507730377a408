"""Are two images near-duplicates? Their small pictures are aligned and compared.

The alignment begins with the window and the mirroring whose hashes are nearest, and is refined by
least squares (Gauss-Newton) on the four edges of the window, contrast and brightness. The likeness
is the correlation of the gradients: unlike that of the pixels, it is not impressed by two people of
the same build before walls of the same colour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.descriptor import (
    SIDE_PX,
    WINDOWS,
    is_descriptor,
    thumbnails,
    window_hashes,
)

STRONG: Final = 0.95
"""From this likeness on, two images are the same photo."""
WEAK: Final = 0.90
"""From this likeness on, they may be: the next photo of a series, a heavily edited copy."""

_BLUR_SIGMA_PX = 0.8
_SAME_HASH_BITS = 2
_BLACK = bytes(SIDE_PX**2)
_WORD = (1 << 64) - 1

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Features:
    """What images are compared by, one row each.

    Attributes:
        hashes: uint64 (N, 2), pHash of the image and of its mirror image.
        described: bool (N,), whether it has a descriptor.
        thumbs: uint8 (N, 32, 32), of `thumbnails`; black without a descriptor.
        windows: uint64 (N, 10), of `window_hashes`; without a descriptor, all are the image's
        pHash.
    """

    hashes: NDArray[np.uint64]
    described: NDArray[np.bool_]
    thumbs: NDArray[np.uint8]
    windows: NDArray[np.uint64]

    @classmethod
    def of(
        cls, hashes: Sequence[tuple[int, int]], descriptors: Sequence[bytes | None]
    ) -> "Features":
        """Read what a database holds.

        Args:
            hashes: of `perceptual_hashes`, signed or not.
            descriptors: of `descriptor`; None, or anything of another length, is none.
        """
        words = np.array([[h & _WORD for h in pair] for pair in hashes], np.uint64).reshape(-1, 2)
        known = [data if is_descriptor(data) else None for data in descriptors]
        described = np.array([data is not None for data in known], np.bool_)
        thumbs = thumbnails([_BLACK if data is None else data for data in known])
        windows = np.repeat(words[:, :1], len(WINDOWS), axis=1)
        windows[described] = window_hashes(thumbs[described])
        return cls(words, described, thumbs, windows)

    @classmethod
    def together(cls, parts: Sequence["Features"]) -> "Features":
        """All rows, one part's after the other's."""
        return cls(
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.described for part in parts]),
            np.concatenate([part.thumbs for part in parts]),
            np.concatenate([part.windows for part in parts]),
        )

    def take(self, rows: NDArray[np.integer]) -> "Features":
        """These rows, in their order."""
        return Features(
            self.hashes[rows], self.described[rows], self.thumbs[rows], self.windows[rows]
        )


def likeness(features: Features, pairs: NDArray[np.integer]) -> Floats:
    """Say how alike pairs of images are, once one is laid over the other.

    One may be cropped by about 5 %, and mirrored; contrast and brightness do not matter. Pictures
    without structure are alike if they are equally bright, and not at all otherwise. Where a
    descriptor is missing, the hashes decide: at most 2 bits apart, mirrored or not, is `WEAK`,
    anything else is 0.

    Args:
        features: of N images.
        pairs: (P, 2) integers below N.

    Returns:
        float32 (P,) in [-1, 1]: compare with `STRONG` and `WEAK`. The order within a pair does not
        matter, but for rounding.
    """
    from pipelines.pictures.near_duplicates.alignment import alikeness

    ends: NDArray[np.int64] = np.sort(pairs, axis=1).astype(np.int64, copy=False)
    result = np.empty(len(ends), np.float32)
    alikeness(
        features.hashes, features.windows, features.thumbs, WINDOWS, _blur_kernel(), ends, result
    )
    unknown = ~features.described[ends].all(axis=1)
    first, second = ends[unknown].T
    bits = np.bitwise_count(features.hashes[first] ^ features.hashes[second][:, :1]).min(axis=1)
    result[unknown] = np.where(bits <= _SAME_HASH_BITS, np.float32(WEAK), 0)
    return result


def _blur_kernel() -> Floats:
    kernel = np.exp(-((np.arange(-3, 4) / _BLUR_SIGMA_PX) ** 2) / 2)
    return np.asarray(kernel / kernel.sum(), np.float32)
