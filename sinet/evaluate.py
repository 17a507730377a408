"""Score a model on a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from sinet.checkpoint import Model
from sinet.data.listing import Sample
from sinet.data.reading import Pixels, read_sample
from sinet.errors import DataError
from sinet.metrics import Counts, boundary_f1, boundary_iou
from sinet.networks import SegmentationNetwork
from sinet.normalisation import InputSpec
from sinet.predict import person_at_input, resize_probability

METRIC_SIZE: Final = (224, 224)


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one image, or their means; each 0..1.

    Attributes:
        iou: of the person at 224 × 224, the authors' metric.
        native_iou: of the person at the size of the image.
        miou: mean of person's and background's, at 224 × 224.
        boundary_f1: in the 15 × 15 band, at 224 × 224.
        boundary_iou: within 2 % of the diagonal, at the size of the image.
    """

    iou: float
    native_iou: float
    miou: float
    boundary_f1: float
    boundary_iou: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    Attributes:
        mean: over the images.
        images: scores by the name of the image.
    """

    mean: Scores
    images: dict[str, Scores]


def evaluate(model: Model, samples: Sequence[Sample]) -> Evaluation:
    """Score a model on every sample: decoded, predicted and compared one by one.

    Raises:
        DataError: no samples, one that cannot be read, or a mask of another size.
    """
    if not samples:
        raise DataError("there is no sample to evaluate on.")
    images = {}
    for sample in samples:
        image, mask, _ = read_sample(sample)
        images[sample.name] = score_image(model, image, mask)
    names = Scores.__slots__
    means = {name: fmean(getattr(scores, name) for scores in images.values()) for name in names}
    return Evaluation(Scores(**means), images)


def score_image(model: Model, image: Pixels, mask: Pixels) -> Scores:
    """Score one uint8 (H, W, 3) RGB image against its uint8 (H, W) mask of 0 and 1."""
    person = person_at_input(model, image)
    truth, native_truth = metric_truth(mask), mask.astype(bool)
    predicted = _at_metric_size(person)
    native = resize_probability(person, mask.shape) > 0.5
    counts = Counts.of(predicted, truth)
    return Scores(
        iou=counts.iou,
        native_iou=Counts.of(native, native_truth).iou,
        miou=counts.miou,
        boundary_f1=boundary_f1(predicted, truth),
        boundary_iou=boundary_iou(native, native_truth),
    )


def metric_truth(mask: Pixels) -> npt.NDArray[np.bool_]:
    """Return a mask at 224 × 224: of every pixel the nearest label, as the authors do."""
    return np.asarray(cv2.resize(mask, METRIC_SIZE, interpolation=cv2.INTER_NEAREST), np.bool_)


class HeldOutSet:
    """Samples kept ready at the input size, to score a network after every epoch.

    Attributes:
        pictures: uint8 (height, width, 3) RGB of the input size.
    """

    def __init__(self, samples: Sequence[Sample], spec: InputSpec) -> None:
        self._spec = spec
        self.pictures: list[Pixels] = []
        self._truths = []
        for sample in samples:
            image, mask, _ = read_sample(sample)
            self.pictures.append(np.rint(spec.resized(image)).astype(np.uint8))
            self._truths.append(metric_truth(mask))

    def score(self, network: SegmentationNetwork) -> float:
        """Return the mean IoU at 224 × 224; the network must be in evaluation mode."""
        people = self._people(network, len(self.pictures))
        pairs = zip(people, self._truths, strict=True)
        return fmean(Counts.of(_at_metric_size(person), truth).iou for person, truth in pairs)

    def masks(self, network: SegmentationNetwork, count: int) -> list[Pixels]:
        """Return the network's masks of the first pictures, uint8 of 0 and 1, at input size."""
        return [(person > 0.5).astype(np.uint8) for person in self._people(network, count)]

    def _people(
        self, network: SegmentationNetwork, count: int
    ) -> Iterator[npt.NDArray[np.float32]]:
        model = Model(network, self._spec)
        return (person_at_input(model, picture) for picture in self.pictures[:count])


def _at_metric_size(person: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = resize_probability(person, METRIC_SIZE) > 0.5
    return mask
