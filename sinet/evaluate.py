"""Score a model on a data set."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

from sinet.batching import BATCH_PIXELS, batches, in_order, within
from sinet.checkpoint import Model
from sinet.data.kept import Kept
from sinet.data.listing import Sample
from sinet.data.reading import Picture, Pixels, read_sample
from sinet.errors import DataError, NetworkOutputError
from sinet.metrics import Counts, outline_band, rim
from sinet.networks import SegmentationNetwork
from sinet.normalisation import InputSpec
from sinet.predict import PersonModel, resize_probability
from sinet.processes import own_run, summed

METRIC_SIZE: Final = (224, 224)

# Of held-out pictures in memory, of all processes: a thousand.
_HELD_BYTES: Final = 200 * 1024**2


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one image, or their means; each 0..1.

    Attributes:
        native_iou: of the person at the size of the image.
        iou: of the person at 224 × 224, the authors' metric, to be compared with papers. OpenCV's
            nearest neighbour takes top-left instead of centre pixels of the truth, which costs
            every network up to 0.006 on small photos: judge by `native_iou`.
        miou: mean of person's and background's, at 224 × 224.
        boundary_f1: in the 15 × 15 band, at 224 × 224.
        boundary_iou: within 2 % of the diagonal, at the size of the image.
    """

    native_iou: float
    iou: float
    miou: float
    boundary_f1: float
    boundary_iou: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    Attributes:
        mean: over `people`.
        images: scores by the name of the image, of all of them.
        negatives: names of the images with an empty mask.
    """

    mean: Scores
    images: dict[str, Scores]
    negatives: frozenset[str] = frozenset()

    @property
    def people(self) -> dict[str, Scores]:
        """Scores of the images that means are of, by name: those with somebody.

        Where nobody is, an IoU is 1 or 0, and says only whether anything is seen. So it counts
        where there are no others alone.
        """
        people = {name: each for name, each in self.images.items() if name not in self.negatives}
        return people or self.images

    @property
    def false_person_rate(self) -> float | None:
        """Share of the negatives in which somebody is seen at 224 × 224; None without any."""
        if not self.negatives:
            return None
        return fmean(self.images[name].iou < 1 for name in self.negatives)


def evaluate(
    model: PersonModel, samples: Iterable[Sample], *, threads: int | None = None
) -> Evaluation:
    """Score a model on every sample.

    Args:
        model: to score.
        samples: taken one batch after the other, as threads get free.
        threads: that decode, ask the model and compare; None: one a core.

    Raises:
        DataError: no samples, one that cannot be read, or a mask of another size.
        NetworkOutputError: the model's answer to a picture, which is named, is of no use.
    """
    (evaluation,) = evaluate_all([model], samples, threads=threads)
    return evaluation


def evaluate_all(
    models: Sequence[PersonModel], samples: Iterable[Sample], *, threads: int | None = None
) -> list[Evaluation]:
    """`evaluate` of several models at once: each sample is read and prepared only once."""
    negatives: set[str] = set()

    def read(sample: Sample) -> tuple[str, Picture]:
        if sample.classes is not None:
            raise DataError(f"{sample.mask}: of many classes: score a network of as many.")
        picture = read_sample(sample)
        if not picture.mask.any():
            negatives.add(sample.name)
        return sample.name, picture

    def score(batch: Sequence[Sample]) -> list[tuple[str, list[Scores]]]:
        pictures = within(map(read, batch), lambda each: each[1].mask.size, BATCH_PIXELS)
        return [row for group in pictures for row in _scores(models, group)]

    scored = chain.from_iterable(in_order(score, batches(samples), threads))
    images = dict(scored)
    if not images:
        raise DataError("there is no sample to evaluate on.")
    return [
        _evaluation({name: row[number] for name, row in images.items()}, frozenset(negatives))
        for number in range(len(models))
    ]


def _evaluation(images: dict[str, Scores], negatives: frozenset[str]) -> Evaluation:
    names = Scores.__slots__
    people = [scores for name, scores in images.items() if name not in negatives]
    counted = people or images.values()
    means = {name: fmean(getattr(scores, name) for scores in counted) for name in names}
    return Evaluation(Scores(**means), images, negatives)


def _scores(
    models: Sequence[PersonModel], pictures: Sequence[tuple[str, Picture]]
) -> list[tuple[str, list[Scores]]]:
    """Of each picture, by its name, the scores of each model."""
    truths = [_Truth(picture.mask) for _, picture in pictures]
    found = [_people(model, pictures) for model in models]
    return [
        (name, [truth.score(person) for person in people])
        for (name, _), truth, *people in zip(pictures, truths, *found, strict=True)
    ]


def _people(
    model: PersonModel, pictures: Sequence[tuple[str, Picture]]
) -> list[npt.NDArray[np.float32]]:
    """What a model says of pictures; an answer of no use names the picture."""
    try:
        return model.people_at_input([picture.image for _, picture in pictures])
    except NetworkOutputError as error:
        if len(pictures) == 1:
            raise NetworkOutputError(f"{pictures[0][0]}: {error}") from None
    return [person for picture in pictures for person in _people(model, [picture])]


class _Truth:
    """A true mask, prepared to compare any number of predicted ones with it."""

    def __init__(self, mask: Pixels) -> None:
        """Take a uint8 (H, W) mask of 0 and 1."""
        self._native = mask.astype(bool)
        self._rim = rim(self._native)
        self._reduced = metric_truth(mask)
        self._band = outline_band(self._reduced)

    def score(self, person: npt.NDArray[np.float32]) -> Scores:
        """Score a probability of the person, of any size."""
        predicted = _at_metric_size(person)
        native = resize_probability(person, self._native.shape) > 0.5
        counts = Counts.of(predicted, self._reduced)
        return Scores(
            native_iou=Counts.of(native, self._native).iou,
            iou=counts.iou,
            miou=counts.miou,
            boundary_f1=Counts.of(predicted, self._reduced, self._band).f1,
            boundary_iou=Counts.of(rim(native), self._rim).iou,
        )


def metric_truth(mask: Pixels) -> npt.NDArray[np.bool_]:
    """Return a mask at 224 × 224: of every pixel one label, as the authors do.

    OpenCV's nearest neighbour, which is the pixel to the left and above: half a pixel of the result
    off. For this metric only; what is learnt from is resized with centres aligned.
    """
    return np.asarray(cv2.resize(mask, METRIC_SIZE, interpolation=cv2.INTER_NEAREST), np.bool_)


class HeldOutSet:
    """Samples ready at the input size, to score a network after every epoch.

    As many are kept in memory as `Kept` lets. Of processes that train together each scores a run of
    them, the first process the first ones.

    Attributes:
        samples: that are scored here.
    """

    def __init__(self, samples: Sequence[Sample], spec: InputSpec) -> None:
        self._spec = spec
        self.samples = own_run(samples)
        self._ready = Kept(
            self.samples, self._prepared, lambda each: each[0].nbytes + each[1].nbytes, _HELD_BYTES
        )

    def pictures(self, count: int) -> list[Pixels]:
        """Return the first pictures, uint8 (height, width, 3) RGB of the input size."""
        return [self._ready[number][0] for number in range(min(count, len(self.samples)))]

    def score(self, network: SegmentationNetwork) -> float:
        """Return the mean IoU at 224 × 224 of the pictures with somebody.

        The network must be in evaluation mode.
        """
        ious, people = [], []
        for group in batches(self._ready):
            found = Model(network, self._spec).people_at_input([picture for picture, _ in group])
            for person, (_, truth) in zip(found, group, strict=True):
                ious.append(Counts.of(_at_metric_size(person), truth).iou)
                people.append(bool(truth.any()))
        counted = [iou for iou, is_person in zip(ious, people, strict=True) if is_person]
        sums = torch.tensor(
            [math.fsum(counted), len(counted), math.fsum(ious), len(ious)], dtype=torch.float64
        )
        device = next(network.parameters()).device
        of_people, with_people, of_all, all_ = summed(sums.to(device)).tolist()
        # As `Evaluation.people`.
        score: float = of_people / with_people if with_people else of_all / all_
        return score

    def masks(self, network: SegmentationNetwork, count: int) -> list[Pixels]:
        """Return the network's masks of the first pictures, uint8 of 0 and 1, at input size."""
        model = Model(network, self._spec)
        people = map(model.people_at_input, batches(self.pictures(count)))
        return [(person > 0.5).astype(np.uint8) for person in chain.from_iterable(people)]

    def _prepared(self, sample: Sample) -> tuple[Pixels, npt.NDArray[np.bool_]]:
        image, mask, _ = read_sample(sample)
        return np.rint(self._spec.resized(image)).astype(np.uint8), metric_truth(mask)


def _at_metric_size(person: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = resize_probability(person, METRIC_SIZE) > 0.5
    return mask
