"""A network of many classes scored on a data set of as many."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.workspace.errors import ModelError
from pipelines.workspace.progress import SILENT, Progress, tracked
from sinet.checkpoint import load_checkpoint
from sinet.class_scores import confusion_of
from sinet.data import class_evaluation_samples
from sinet.data.checking import check_masks
from sinet.data.scenes import same_classes
from sinet.devices import choose_device
from sinet.errors import SINetError
from sinet.models import cost
from sinet.network_ref import TRAINABLE, NetworkRef


@dataclass(frozen=True, kw_only=True)
class ClassesRequest:
    """What to score.

    Attributes:
        network: a checkpoint of as many classes as the data set has.
        data: folder of the data set.
        split: of it; None: `val` if there is one, else everything.
        limit: score only so many images, from the beginning.
        device: `auto`, `cpu` or `cuda`.
    """

    network: NetworkRef
    data: Path
    split: str | None = None
    limit: int | None = None
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class ClassIoU:
    """A class, by all images together.

    Attributes:
        name: of it.
        iou: intersection over union; None: it is nowhere, nor said to be.
        pixels: that are of it.
    """

    name: str
    iou: float | None
    pixels: int


@dataclass(frozen=True, kw_only=True)
class ClassesScored:
    """What came out, at the size of each image.

    Attributes:
        network: that was scored.
        data: folder of the data set.
        split: of it.
        images: that were scored.
        masks_read: how their masks were read, in words, and how many each.
        parameters: number of weights.
        macs: multiply-accumulates of an image of the network's input size.
        miou: mean IoU over the classes that are there.
        pixel_accuracy: share of the pixels that are right.
        classes: each of them, in their order.
    """

    network: str
    data: Path
    split: str
    images: int
    masks_read: Counter[str]
    parameters: int
    macs: int | None
    miou: float
    pixel_accuracy: float
    classes: Sequence[ClassIoU]


def evaluate_classes(request: ClassesRequest, progress: Progress = SILENT) -> ClassesScored:
    """Score a network of many classes.

    Raises:
        ModelError: no such checkpoint, or one of other classes.
        DataError: no such data or split, or an image or mask that cannot be read.
    """
    try:
        request.network.must_be(TRAINABLE, "evaluate --classes")
        model = load_checkpoint(request.network.weights())
    except SINetError as error:
        raise ModelError(str(error)) from error
    split, samples = class_evaluation_samples(request.data, request.split)
    samples = samples[: request.limit]
    classes = same_classes(samples)
    names = () if classes is None else classes.names
    trained = tuple(model.training.get("class_names", names))
    if model.network.classes != len(names) or trained != names:
        raise ModelError(
            f"{request.network}: has {model.network.classes} classes ({_few(trained)}), "
            f"{request.data} {len(names)} ({_few(names)})"
        )
    read = check_masks(samples)
    model.network.to(choose_device(request.device))
    found = confusion_of(model, tracked(progress, samples, "scoring", "images"))
    pixels = found.counts.sum(axis=1)
    each = [
        ClassIoU(name, None if math.isnan(iou) else iou, int(number))
        for name, iou, number in zip(names, found.ious, pixels, strict=True)
    ]
    spent = cost(model)
    return ClassesScored(
        network=str(request.network),
        data=request.data,
        split=split,
        images=len(samples),
        masks_read=read,
        parameters=spent.parameters,
        macs=spent.macs,
        miou=found.miou,
        pixel_accuracy=found.accuracy,
        classes=each,
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
