"""Score a network's probability as a matte, on images with alpha mattes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
import numpy.typing as npt

from sinet.batching import batches, in_order
from sinet.data.listing import Sample
from sinet.data.reading import read_image
from sinet.errors import DataError, PictureError
from sinet.files.mattes import ALPHAS, TRIMAPS, UNKNOWN
from sinet.metrics.matte import Alpha, MatteErrors, matte_errors
from sinet.pictures.decode import decode_grey
from sinet.predict import PersonModel, predict

FOLDERS: Final = (("images", ALPHAS),)
"""Of a data set with mattes; `trimaps` may be beside them."""


@dataclass(frozen=True, slots=True)
class MatteScore:
    """One image.

    Attributes:
        whole: of all its pixels.
        unknown: of those of its trimap's unknown band; None: it has no trimap.
    """

    whole: MatteErrors
    unknown: MatteErrors | None


@dataclass(frozen=True, slots=True)
class MatteEvaluation:
    """What came out.

    Attributes:
        images: by the name of the image.
    """

    images: dict[str, MatteScore]

    @property
    def whole(self) -> MatteErrors:
        """Means over all images."""
        return _mean([each.whole for each in self.images.values()])

    @property
    def unknown(self) -> MatteErrors | None:
        """Means over the images with a trimap; None: none has one."""
        found = [each.unknown for each in self.images.values() if each.unknown is not None]
        return _mean(found) if found else None


def evaluate_matte(model: PersonModel, samples: Iterable[Sample]) -> MatteEvaluation:
    """Score a model at the size of each image.

    Args:
        model: to score.
        samples: images, with an alpha as their mask.

    Raises:
        DataError: no samples, or one that cannot be read or is of another size.
        NetworkOutputError: the model's answer is of no use.
    """

    def score(batch: Sequence[Sample]) -> list[tuple[str, MatteScore]]:
        return [(sample.name, _score(model, sample)) for sample in batch]

    images = dict(chain.from_iterable(in_order(score, batches(samples), None)))
    if not images:
        raise DataError("there is no sample to evaluate on.")
    return MatteEvaluation(images)


def _score(model: PersonModel, sample: Sample) -> MatteScore:
    assert isinstance(sample.mask, Path)  # shards have masks only, not mattes
    image = read_image(sample.image)
    alpha = _read(sample.mask, image.shape[:2])
    truth: Alpha = np.asarray(alpha / np.float32(255), np.float32)
    found = predict(model, image)
    everywhere = np.ones(truth.shape, np.bool_)
    trimap = sample.mask.parent.parent / TRIMAPS / f"{sample.mask.stem}.png"
    unknown = None
    if trimap.is_file():
        unknown = matte_errors(found, truth, _read(trimap, alpha.shape) == UNKNOWN)
    return MatteScore(matte_errors(found, truth, everywhere), unknown)


def _read(file: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    try:
        found = decode_grey(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error}).") from error
    except PictureError as error:
        raise DataError(f"{file}: {error}") from error
    if found.shape != shape:
        (height, width), (h, w) = shape, found.shape
        raise DataError(f"{file}: is {w} × {h}, its image {width} × {height}.")
    return found


def _mean(errors: Sequence[MatteErrors]) -> MatteErrors:
    def of(name: str) -> Iterator[float]:
        return (getattr(each, name) for each in errors)

    return MatteErrors(**{field.name: fmean(of(field.name)) for field in fields(MatteErrors)})
