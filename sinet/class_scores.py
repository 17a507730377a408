"""Score a network of many classes."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from sinet.checkpoint import Model
from sinet.data.listing import Sample
from sinet.data.reading import Pixels, read_sample
from sinet.data.scenes import same_classes
from sinet.errors import DataError
from sinet.metrics.confusion import Confusion
from sinet.networks import SegmentationNetwork
from sinet.normalisation import InputSpec


def confusion_of(model: Model, samples: Iterable[Sample]) -> Confusion:
    """Score a network at the size of each image.

    Args:
        model: of as many classes as the samples have.
        samples: taken one by one.

    Raises:
        DataError: one cannot be read, or there is none.
    """
    found = Confusion(model.network.classes)
    for sample in samples:
        image, labels, _ = read_sample(sample)
        found.add(said(model.network, model.input, image, labels.shape), labels)
    if not found.counts.any():
        raise DataError("there is no pixel of a class to evaluate on.")
    return found


def said(
    network: SegmentationNetwork, spec: InputSpec, image: Pixels, shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Return the class of every pixel, uint8 of `shape`, of uint8 (H, W, 3) RGB."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits = network(spec.prepare(image).to(device)).float()
        enlarged = functional.interpolate(
            logits, (shape[0], shape[1]), mode="bilinear", align_corners=False
        )
        return np.asarray(enlarged.argmax(dim=1)[0].cpu().numpy(), np.uint8)


class HeldOutClasses:
    """As `evaluate.HeldOutSet`, of many classes: its score is the mean IoU over the classes.

    Attributes:
        pictures: uint8 (height, width, 3) RGB of the input size.
    """

    def __init__(self, samples: Sequence[Sample], spec: InputSpec) -> None:
        self._spec = spec
        self.pictures: list[Pixels] = []
        self._truths: list[Pixels] = []
        self.classes = same_classes(samples)
        for sample in samples:
            image, labels, _ = read_sample(sample)
            self.pictures.append(np.rint(spec.resized(image)).astype(np.uint8))
            self._truths.append(labels)

    def score(self, network: SegmentationNetwork) -> float:
        """Return the mean IoU at the size of each image; the network is in evaluation mode."""
        found = Confusion(network.classes)
        for picture, truth in zip(self.pictures, self._truths, strict=True):
            found.add(said(network, self._spec, picture, truth.shape), truth)
        return found.miou

    def masks(self, network: SegmentationNetwork, count: int) -> list[Pixels]:
        """Return where the first pictures show another class than the first: 0 and 1."""
        size = (self._spec.height, self._spec.width)
        return [
            (said(network, self._spec, picture, size) > 0).astype(np.uint8)
            for picture in self.pictures[:count]
        ]
