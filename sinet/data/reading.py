"""Decode images and masks of a data set, and keep them in memory at the size training needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from sinet.data.kept import Kept
from sinet.data.listing import File, Sample
from sinet.errors import DataError, PictureError
from sinet.pictures.class_masks import ClassList, ClassMask, read_class_mask
from sinet.pictures.decode import DecodedPicture, decode, decode_grey, stored_orientation
from sinet.pictures.fitting import refuse_inverted, upright
from sinet.pictures.levels import Understood
from sinet.pictures.mask_options import SELF_EXPLAINING, MaskOptions
from sinet.pictures.masks import ReadMask
from sinet.pictures.masks import read_mask as read_mask_file
from sinet.pictures.orientation import UPRIGHT
from sinet.pictures.threshold import is_person

Pixels: TypeAlias = npt.NDArray[np.uint8]


class Picture(NamedTuple):
    """An image with its masks, all of one height and width."""

    image: Pixels  # (H, W, 3) RGB
    mask: Pixels  # (H, W): 1 the person, 0 the rest; or the class, or `IGNORED`
    soft: Pixels | None = None  # (H, W): a teacher's probability of the person × 255

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.mask.shape[0], self.mask.shape[1]


def read_image(path: File) -> Pixels:
    """Decode an image, upright, to uint8 (H, W, 3) RGB; as `ingest` does.

    Raises:
        DataError: the file cannot be read; a `PictureError`, with a reason, if it is no image.
    """
    return _read_picture(path).rgb


def read_mask(path: File, options: MaskOptions = SELF_EXPLAINING) -> ReadMask:
    """Read a mask as it is stored.

    Args:
        path: of the file.
        options: what its maker says of it.

    Raises:
        DataError: the file cannot be read; a `PictureError` if it is no image or not clearly a
            mask of a person.
    """
    with _named(path):
        return read_mask_file(_content(path), options)


def read_sample(sample: Sample, soft_masks: Path | None = None) -> Picture:
    """Decode an image and its mask.

    Args:
        sample: to decode.
        soft_masks: folder of a teacher's masks, one `<name>.png` a sample; None: none.

    Raises:
        DataError: a file is missing, no image, no mask, or of another size than the image.
    """
    picture = _read_picture(sample.image)
    height, width, _ = picture.rgb.shape
    if sample.classes is not None:
        labels = read_labels(sample, sample.classes).labels
        if labels.shape != (height, width):
            raise _other_size(sample.mask, labels.shape, (height, width))
        return Picture(picture.rgb, labels)
    soft = None
    if soft_masks is not None:
        soft = _soft_mask(soft_masks / f"{sample.name}.png", (height, width))
    mask = _upright_mask(picture, sample).person
    return Picture(picture.rgb, np.ascontiguousarray(mask).view(np.uint8), soft)


def read_labels(sample: Sample, classes: ClassList) -> ClassMask:
    """Read a sample's mask of many classes, as it is stored.

    Raises:
        DataError: the file cannot be read; a `PictureError` if it has what is no class.
    """
    with _named(sample.mask):
        return read_class_mask(_content(sample.mask), classes)


def understand(sample: Sample) -> Understood:
    """Read a sample's mask, and say how it was read; its image only where EXIF turns one of them.

    Returns:
        The mask, bool (H, W), turned as its image, and in words how.

    Raises:
        DataError: as `read_sample`, but for what is wrong with the image's pixels.
    """
    read = read_mask(sample.mask, sample.masks)
    with _named(sample.image):
        tag = stored_orientation(_content(sample.image))
    if {tag, read.orientation} == {UPRIGHT}:
        return read.understood
    return _upright_mask(_read_picture(sample.image), sample)


def shrink(picture: Picture, longest_px: int, *, has_classes: bool = False) -> Picture:
    """Shrink a picture until no side is above `longest_px`; never enlarge.

    Args:
        picture: to shrink.
        longest_px: limit.
        has_classes: its mask holds classes, between which there is no mean.
    """
    height, width = picture.shape
    factor = longest_px / max(height, width)
    if factor >= 1:
        return picture
    shape = (max(1, round(height * factor)), max(1, round(width * factor)))
    if has_classes:
        return Picture(average_down(picture.image, shape), nearest(picture.mask, shape))
    cover = average_down(picture.mask * np.uint8(255), shape)
    soft = None if picture.soft is None else average_down(picture.soft, shape)
    return Picture(average_down(picture.image, shape), is_person(cover).view(np.uint8), soft)


def average_down(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Resize uint8 (H, W) or (H, W, channels) to a smaller (height, width) by averaging."""
    return np.asarray(cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def nearest(labels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Resize uint8 (H, W) to (height, width), each pixel as the one at its centre."""
    resized = cv2.resize(labels, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, np.uint8)


class PixelCache:
    """A data set at the size that training needs, its first pictures in memory: see `Kept`.

    About 0.5 MB a sample at 400 px: 1,200 portraits are decoded once and take half a gigabyte.

    Args:
        samples: of the data set.
        longest_px: pictures are shrunk to this longest side.
        soft_masks: folder of a teacher's masks, one `<name>.png` a sample; None: none.
        most_bytes: that are kept; default: as `Kept`.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        longest_px: int,
        soft_masks: Path | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self.samples = samples

        def load(sample: Sample) -> Picture:
            picture = read_sample(sample, soft_masks)
            return shrink(picture, longest_px, has_classes=sample.classes is not None)

        def size(picture: Picture) -> int:
            return sum(plane.nbytes for plane in picture if plane is not None)

        self._pictures = Kept(samples, load, size, most_bytes)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Picture:
        """Return a picture; do not write to it."""
        return self._pictures[index]


def _read_picture(path: File) -> DecodedPicture:
    with _named(path):
        return decode(_content(path))


def _upright_mask(picture: DecodedPicture, sample: Sample) -> Understood:
    read = read_mask(sample.mask, sample.masks)
    height, width, _ = picture.rgb.shape
    _check_size(sample.mask, read.person.shape, (height, width))
    tags = (picture.orientation, read.orientation)
    with _named(sample.mask):
        found = upright(read.understood, tags, (height, width), lambda: picture.rgb)
        refuse_inverted(found.person, was_inverted=sample.masks.invert)
    return found


def _soft_mask(path: Path, shape: tuple[int, int]) -> Pixels:
    with _named(path):
        grey = decode_grey(_content(path))
    _check_size(path, grey.shape, shape)
    return grey


def _check_size(path: File, found: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if sorted(found) != sorted(wanted):  # turned by EXIF, perhaps
        raise _other_size(path, found, wanted)


def _other_size(path: File, found: tuple[int, ...], wanted: tuple[int, int]) -> DataError:
    return DataError(
        f"{path}: the mask is {found[1]} × {found[0]}, its image {wanted[1]} × {wanted[0]}."
    )


def _content(path: File) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


@contextmanager
def _named(path: File) -> Iterator[None]:
    """Say which file cannot be read as a picture or as a mask."""
    try:
        yield
    except PictureError as error:
        what = "" if error.reason.startswith(("mask_", "too_")) else "no image, or damaged: "
        raise PictureError(error.reason, f"{path}: {what}{error}") from error
