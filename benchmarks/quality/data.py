"""The photos the quality figures are measured on: names, groups of near-duplicates, folds.

Everything that is fitted is fitted on `train.txt` of EG1800, out of fold; `val.txt` only measures.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.decode import decode
from pipelines.pictures.perceptual import hamming, perceptual_hashes
from sinet.data.listing import File, Sample, find_samples
from sinet.pictures.decode import decode_grey
from sinet.pictures.threshold import is_person

FOLDS = 3
_NEAR_BITS = 10
_MAX_PIXELS = 10**8


@dataclass(frozen=True)
class Photo:
    """A photo with its hand mask.

    Attributes:
        sample: its files.
        split: `train` or `val`.
        group: number of its group of near-duplicates.
        fold: 0 … FOLDS − 1, the same for a whole group.
    """

    sample: Sample
    split: str
    group: int
    fold: int


def photos(data: Path, kept: Path | None = None) -> list[Photo]:
    """All photos of both lists, with groups and folds.

    Args:
        data: EG1800.
        kept: file that keeps the perceptual hashes, which take half a minute.
    """
    listed = [(each, split) for split in ("train", "val") for each in find_samples(data, split)]
    if kept is not None and kept.exists():
        hashes = [(own, mirror) for own, mirror in json.loads(kept.read_text())]
    else:
        hashes = [perceptual_hashes(read_rgb(sample.image)) for sample, _ in listed]
    if kept is not None:
        kept.write_text(json.dumps(hashes))
    groups = near_groups(hashes)
    order = np.random.default_rng(0).permutation(max(groups) + 1)
    return [
        Photo(sample, split, group, int(order[group]) % FOLDS)
        for (sample, split), group in zip(listed, groups, strict=True)
    ]


def near_groups(hashes: Sequence[tuple[int, int]]) -> list[int]:
    """Number the connected components of "hashes differ in few bits, as is or mirrored"."""
    parents = list(range(len(hashes)))

    def root(index: int) -> int:
        while parents[index] != index:
            index = parents[index]
        return index

    for later, (own, _) in enumerate(hashes):
        for earlier, pair in enumerate(hashes[:later]):
            if min(hamming(own, other) for other in pair) <= _NEAR_BITS:
                parents[root(later)] = root(earlier)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(index), len(numbers)) for index in range(len(hashes))]


def read_rgb(path: File) -> NDArray[np.uint8]:
    """A photo, uint8 (H, W, 3)."""
    return decode(path.read_bytes(), max_pixels=_MAX_PIXELS).rgb


def read_mask(path: File) -> NDArray[np.bool_]:
    """A hand mask, bool (H, W)."""
    return is_person(decode_grey(path.read_bytes()))
