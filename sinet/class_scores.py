"""Score a network of many classes."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from sinet.checkpoint import Model
from sinet.data.kept import Kept
from sinet.data.listing import Sample
from sinet.data.reading import Pixels, read_sample
from sinet.data.scenes import same_classes
from sinet.errors import DataError
from sinet.metrics.confusion import Confusion
from sinet.networks import SegmentationNetwork
from sinet.normalisation import InputSpec
from sinet.processes import own_run, summed

# Of held-out pictures in memory, of all processes: a hundred of Cityscapes' size.
_HELD_BYTES: Final = 256 * 1024**2


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
        samples: that are scored here.
    """

    def __init__(self, samples: Sequence[Sample], spec: InputSpec) -> None:
        self._spec = spec
        self.classes = same_classes(samples)
        self.samples = own_run(samples)
        self._ready = Kept(
            self.samples, self._prepared, lambda each: each[0].nbytes + each[1].nbytes, _HELD_BYTES
        )

    def pictures(self, count: int) -> list[Pixels]:
        """Return the first pictures, uint8 (height, width, 3) RGB of the input size."""
        return [self._ready[number][0] for number in range(min(count, len(self.samples)))]

    def score(self, network: SegmentationNetwork) -> float:
        """Return the mean IoU at the size of each image; the network is in evaluation mode."""
        found = Confusion(network.classes)
        for picture, truth in self._ready:
            found.add(said(network, self._spec, picture, truth.shape), truth)
        device = next(network.parameters()).device
        found.counts[:] = summed(torch.from_numpy(found.counts).to(device)).cpu().numpy()
        return found.miou

    def masks(self, network: SegmentationNetwork, count: int) -> list[Pixels]:
        """Return where the first pictures show another class than the first: 0 and 1."""
        size = (self._spec.height, self._spec.width)
        return [
            (said(network, self._spec, picture, size) > 0).astype(np.uint8)
            for picture in self.pictures(count)
        ]

    def _prepared(self, sample: Sample) -> tuple[Pixels, Pixels]:
        image, labels, _ = read_sample(sample)
        return np.rint(self._spec.resized(image)).astype(np.uint8), labels
