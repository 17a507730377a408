"""Decode images and masks of a data set, and keep them in memory at the size training needs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from sinet.data.listing import Sample
from sinet.errors import DataError

Pixels: TypeAlias = npt.NDArray[np.uint8]
MASK_THRESHOLD: Final = 127


class Picture(NamedTuple):
    """An image with its masks, all of one height and width."""

    image: Pixels  # (H, W, 3) RGB
    mask: Pixels  # (H, W): 1 the person, 0 the rest
    soft: Pixels | None = None  # (H, W): a teacher's probability of the person × 255

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.mask.shape[0], self.mask.shape[1]


def read_image(path: Path) -> Pixels:
    """Decode an image, upright, to uint8 (H, W, 3) RGB.

    Raises:
        DataError: the file is missing or no image.
    """
    return np.asarray(cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_mask(path: Path, shape: tuple[int, int]) -> Pixels:
    """Decode a mask to uint8 (H, W): 1 the person, 0 the rest.

    Args:
        path: of the file; values above 127 (of 255) are the person.
        shape: (H, W) of the image it belongs to.

    Raises:
        DataError: the file is missing, no image, or of another size than the image.
    """
    return (_read_grey(path, shape) > MASK_THRESHOLD).astype(np.uint8)


def read_sample(sample: Sample, soft_masks: Path | None = None) -> Picture:
    """Decode an image and its mask.

    Args:
        sample: to decode.
        soft_masks: folder of a teacher's masks, one `<name>.png` a sample; None: none.

    Raises:
        DataError: a file is missing, no image, or of another size than the image.
    """
    image = read_image(sample.image)
    shape = (image.shape[0], image.shape[1])
    soft = None if soft_masks is None else _read_grey(soft_masks / f"{sample.name}.png", shape)
    return Picture(image, read_mask(sample.mask, shape), soft)


def shrink(picture: Picture, longest_px: int) -> Picture:
    """Shrink a picture until no side is above `longest_px`; never enlarge."""
    height, width = picture.shape
    factor = longest_px / max(height, width)
    if factor >= 1:
        return picture
    shape = (max(1, round(height * factor)), max(1, round(width * factor)))
    cover = average_down(picture.mask * np.uint8(255), shape)
    soft = None if picture.soft is None else average_down(picture.soft, shape)
    mask = (cover > MASK_THRESHOLD).astype(np.uint8)
    return Picture(average_down(picture.image, shape), mask, soft)


def average_down(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Resize uint8 (H, W) or (H, W, channels) to a smaller (height, width) by averaging."""
    return np.asarray(cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


class PixelCache:
    """A data set in memory: decoded once, so that decoding never holds training up.

    About 0.5 MB a sample at 400 px; 1,200 portraits take half a gigabyte.

    Args:
        samples: to hold.
        longest_px: pictures are shrunk to this longest side.
        soft_masks: folder of a teacher's masks, one `<name>.png` a sample; None: none.
        threads: that decode.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        longest_px: int,
        soft_masks: Path | None = None,
        threads: int = 1,
    ) -> None:
        self.samples = tuple(samples)

        def load(sample: Sample) -> Picture:
            return shrink(read_sample(sample, soft_masks), longest_px)

        with ThreadPoolExecutor(threads) as pool:
            self._pictures = list(pool.map(load, self.samples))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Picture:
        """Return a picture; do not write to it."""
        return self._pictures[index]


def _read_grey(path: Path, shape: tuple[int, int]) -> Pixels:
    grey = _decode(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey.shape != shape:
        raise DataError(
            f"{path}: the mask is {grey.shape[1]} × {grey.shape[0]}, "
            f"its image {shape[1]} × {shape[0]}."
        )
    return grey


def _decode(path: Path, flags: int) -> Pixels:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        pixels = cv2.imdecode(data, flags) if data.size else None
    except cv2.error as error:
        raise DataError(f"{path}: cannot be decoded ({error.err}).") from error
    if pixels is None:
        raise DataError(f"{path}: no image, or damaged.")
    return np.asarray(pixels, np.uint8)
