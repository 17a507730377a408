"""Does a converted network answer as the original does?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sinet.checkpoint import Model
from sinet.convert.problems import ConversionError
from sinet.convert.running import ConvertedModel
from sinet.data.reading import read_image
from sinet.files.leftovers import left_out
from sinet.metrics import Counts

MAX_IMAGES: Final = 32
"""Of a folder so many are looked at, spread evenly over its names."""

_MIN_IOU: Final = {"float": 0.999, "int8": 0.9}
_MAX_DIFFERENCE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two networks' answers compare, over all pixels of some images.

    Attributes:
        images: number of them.
        mask_iou: intersection over union of the person's masks, pixels of all images together.
        max_difference: largest difference of the person's probability.
    """

    images: int
    mask_iou: float
    max_difference: float


def compare(
    model: Model, converted: ConvertedModel, images: list[npt.NDArray[np.uint8]]
) -> Agreement:
    """Compare a converted network with the original on uint8 (H, W, 3) RGB images."""
    counts, difference = Counts(0, 0, 0, 0), 0.0
    for image in images:
        expected, found = model.person_at_input(image), converted.person_at_input(image)
        difference = max(difference, float(np.abs(expected - found).max()))
        added = Counts.of(found > 0.5, expected > 0.5)
        counts = Counts(
            counts.hits + added.hits,
            counts.false_alarms + added.false_alarms,
            counts.misses + added.misses,
            counts.rejections + added.rejections,
        )
    return Agreement(len(images), counts.iou, difference)


def demand(agreement: Agreement, name: str, *, int8: bool) -> None:
    """Refuse a network that differs: in its masks, or, in float32, in its probabilities.

    Raises:
        ConversionError: it differs too much.
    """
    least = _MIN_IOU["int8" if int8 else "float"]
    differs = not int8 and not agreement.max_difference <= _MAX_DIFFERENCE
    if differs or not agreement.mask_iou >= least:
        raise ConversionError(
            f"{name}: not written: on {agreement.images} images its masks have IoU "
            f"{agreement.mask_iou:.4f} with PyTorch's (at least {least}), probabilities differ by "
            f"up to {agreement.max_difference:.2g}."
        )


def images_of(folder: Path | None) -> list[npt.NDArray[np.uint8]]:
    """Read the images of a folder, or without one the photographs that scikit-image brings.

    Returns:
        uint8 (H, W, 3) RGB, at most 32.

    Raises:
        ConversionError: the folder is missing or holds no image.
        DataError: an image cannot be read.
    """
    if folder is None:
        return list(_bundled())
    files = sorted(file for file in _listed(folder) if left_out(file.name) is None)
    if not files:
        raise ConversionError(f"{folder}: holds no image.")
    chosen = np.linspace(0, len(files) - 1, min(len(files), MAX_IMAGES)).round().astype(int)
    return [read_image(files[index]) for index in chosen]


def _listed(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise ConversionError(f"{folder}: no such folder of images.")
    return folder.iterdir()


def _bundled() -> Iterator[npt.NDArray[np.uint8]]:
    from skimage import data

    for picture in (data.astronaut(), data.coffee(), data.rocket()):
        yield picture
        yield np.ascontiguousarray(picture[:, ::-1])
