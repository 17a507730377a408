"""Score a model on a data set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import cv2
import numpy as np
import numpy.typing as npt
import torch

from sinet.checkpoint import Model
from sinet.data.listing import Sample
from sinet.data.reading import Pixels, read_sample
from sinet.metrics import Counts, boundary_f1, boundary_iou
from sinet.networks import SegmentationNetwork
from sinet.normalisation import InputSpec
from sinet.predict import predict


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one image, or their means; each 0..1.

    Attributes:
        iou: of the person at the network's input size (224 × 224), the authors' metric.
        native_iou: of the person at the size of the image.
        miou: mean of person's and background's, at the input size.
        boundary_f1: in the 15 × 15 band, at the input size.
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
        DataError: a picture or mask cannot be read, or their sizes differ.
    """
    images = {}
    for sample in samples:
        image, mask = read_sample(sample)
        images[sample.name] = score_image(model, image, mask)
    names = Scores.__slots__
    means = {name: fmean(getattr(scores, name) for scores in images.values()) for name in names}
    return Evaluation(Scores(**means), images)


def score_image(model: Model, image: Pixels, mask: Pixels) -> Scores:
    """Score one uint8 (H, W, 3) RGB image against its uint8 (H, W) mask of 0 and 1."""
    truth = small_truth(mask, model.input)
    predicted = _small_prediction(model.network, model.input, image)
    counts = Counts.of(predicted, truth)
    native, native_truth = predict(model, image) > 0.5, mask.astype(bool)
    return Scores(
        iou=counts.iou,
        native_iou=Counts.of(native, native_truth).iou,
        miou=counts.miou,
        boundary_f1=boundary_f1(predicted, truth),
        boundary_iou=boundary_iou(native, native_truth),
    )


def small_truth(mask: Pixels, spec: InputSpec) -> npt.NDArray[np.bool_]:
    """Return the mask at the network's input size: the nearest pixel's label, as the authors."""
    small = cv2.resize(mask, (spec.width, spec.height), interpolation=cv2.INTER_NEAREST)
    return small.astype(bool)


class HeldOutSet:
    """Samples kept ready at the input size, to score a network after every epoch."""

    def __init__(self, samples: Sequence[Sample], spec: InputSpec) -> None:
        self.spec = spec
        self.pictures: list[Pixels] = []
        self._truths = []
        for sample in samples:
            image, mask = read_sample(sample)
            self.pictures.append(np.rint(spec.resized(image)).astype(np.uint8))
            self._truths.append(small_truth(mask, spec))

    def masks(self, network: SegmentationNetwork, count: int | None = None) -> list[Pixels]:
        """Return the network's masks of the first pictures, uint8 (H, W) of 0 and 1."""
        device = next(network.parameters()).device
        found = []
        with torch.inference_mode():
            for picture in self.pictures[:count]:
                pixels = self.spec.prepare(picture).to(device)
                found.append(_person(network(pixels)).cpu().numpy().astype(np.uint8))
        return found

    def score(self, network: SegmentationNetwork) -> float:
        """Return the mean IoU of the person; the network must be in evaluation mode."""
        masks = self.masks(network)
        pairs = zip(masks, self._truths, strict=True)
        return fmean(Counts.of(mask.astype(bool), truth).iou for mask, truth in pairs)


def as_dict(scores: Scores) -> dict[str, float]:
    """Return the scores by name."""
    return asdict(scores)


def _small_prediction(
    network: SegmentationNetwork, spec: InputSpec, image: Pixels
) -> npt.NDArray[np.bool_]:
    with torch.inference_mode():
        mask: npt.NDArray[np.bool_] = _person(network(spec.prepare(image))).numpy()
    return mask


def _person(logits: torch.Tensor) -> torch.Tensor:
    """Return where the person wins, bool (H, W), of logits (1, 1 or 2, H, W)."""
    if logits.shape[1] == 1:
        return logits[0, 0] > 0
    return logits[0].argmax(dim=0) == 1
