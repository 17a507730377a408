"""Batches of augmented samples that depend on the seed, the random order and the sample alone.

Neither the number of workers nor where a run was interrupted changes a pixel.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sinet.data.augment import Augmentation, augment
from sinet.data.background import (
    empty_part,
    nobody_left,
    replace_background,
    stand_before,
    without_person,
)
from sinet.data.reading import Picture, PixelCache

# Keeps the draw of sides apart from those of orders, which are seeded by two numbers as well.
_SIDES = 1


class Share(NamedTuple):
    """Which part of every batch one process has of several that train together."""

    rank: int = 0
    processes: int = 1

    def of(self, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Its run of a batch, whose length is a multiple of the number of processes."""
        count = len(order) // self.processes
        return order[self.rank * count : (self.rank + 1) * count]


_ALL = Share()


class Batch(NamedTuple):
    """What a training step sees."""

    images: Tensor  # uint8 (N, 3, H, W) RGB
    labels: Tensor  # uint8 (N, H, W): 0 or 1; or the class, or `IGNORED`
    teacher: Tensor | None  # uint8 (N, H, W): a teacher's probability of the person × 255
    names: tuple[str, ...]


class _Request(NamedTuple):
    """What is asked of a worker: it needs no state of its own."""

    order: int
    sample: int
    side: int


class _Item(NamedTuple):
    """A sample of a batch, as `Batch`."""

    image: Tensor
    label: Tensor
    teacher: Tensor | None
    name: str


class AugmentedSamples(Dataset[_Item]):
    """Samples of a cache, augmented as a request says."""

    def __init__(self, cache: PixelCache, how: Augmentation, seed: int) -> None:
        self._cache = cache
        self._how = how
        self._seed = seed

    def __getitem__(self, request: _Request) -> _Item:
        """Return uint8 (3, side, side) RGB, its labels and soft labels, and its name."""
        rng = np.random.default_rng((self._seed, request.order, request.sample))
        picture = self._cache[request.sample]
        sample = self._cache.samples[request.sample]
        if sample.classes is not None:
            return self._of_classes(picture, sample.name, request.side, rng)
        # The draw is not made in vain: runs of before there was a choice keep their numbers.
        if self._how.nobody_probability and rng.random() < self._how.nobody_probability:
            picture = nobody_left(picture)
        elif self._how.street_probability and rng.random() < self._how.street_probability:
            picture = self._in_the_street(picture, rng)
        elif rng.random() < self._how.background_probability:
            other = int(rng.integers(len(self._cache)))
            behind = without_person(self._cache[other])
            if rng.random() < 0.5:
                behind = behind[:, ::-1]
            picture = replace_background(picture, behind)
        size = (request.side, request.side)
        return _item(augment(picture, size, self._how, rng), sample.name)

    def __len__(self) -> int:
        return len(self._cache)

    def _in_the_street(self, picture: Picture, rng: np.random.Generator) -> Picture:
        behind, passing = (self._cache[int(rng.integers(len(self._cache)))] for _ in range(2))
        part = empty_part(behind, rng)
        if part is None:
            part = without_person(behind)
        return stand_before(picture, part, rng, passing if rng.random() < 0.5 else None)

    def _of_classes(
        self, picture: Picture, name: str, side: int, rng: np.random.Generator
    ) -> _Item:
        """Of many classes none is put before another background."""
        return _item(augment(picture, (side, side), self._how, rng, has_classes=True), name)


class Batches:
    """Samples in random orders, in batches of one size; the rest of each order is left out.

    Args:
        samples: with `__getitem__` of a request.
        batch_size: samples a batch; lowered to the number of samples if there are fewer.
        seed: of the order.
        workers: processes that augment; 0 for none.
        steps: batches of an epoch, which goes on in the order where the last one ended; None: an
            order an epoch.
        share: of each batch, that is read here; the order is the same whoever reads which.
    """

    def __init__(
        self,
        samples: AugmentedSamples,
        batch_size: int,
        seed: int,
        workers: int = 0,
        *,
        steps: int | None = None,
        share: Share = _ALL,
    ) -> None:
        self._requests = _Requests(len(samples), min(batch_size, len(samples)), seed, steps, share)
        self._loader = DataLoader(
            samples,
            batch_sampler=self._requests,
            num_workers=workers,
            collate_fn=_collate,
            worker_init_fn=_use_one_thread,
            persistent_workers=workers > 0,
            multiprocessing_context="fork" if workers else None,
        )

    def __len__(self) -> int:
        return len(self._requests)

    def epoch(self, number: int, *sides: int, done: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, each of square images with one of these sides in pixels.

        Which one is drawn by the seed and the number of the step in the run. The first `done`
        batches are left out.
        """
        self._requests.epoch, self._requests.sides, self._requests.done = number, sides, done
        return iter(self._loader)


class _Requests:
    """The batch sampler: random orders of all samples, one after the other, cut into epochs."""

    def __init__(
        self, count: int, batch_size: int, seed: int, steps: int | None, share: Share
    ) -> None:
        self._count = count
        self._share = share
        self._batch_size = batch_size
        self._seed = seed
        self._of_order = count // batch_size
        self._steps = self._of_order if steps is None else steps
        self.epoch = 0
        self.done = 0
        self.sides: tuple[int, ...] = (224,)

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[_Request]]:
        first = self.epoch * self._steps
        number = -1
        order: npt.NDArray[np.int64] = np.empty(0, np.int64)
        for step in range(first + self.done, first + self._steps):
            of_order, place = divmod(step, self._of_order)
            if of_order != number:
                number = of_order
                order = np.random.default_rng((self._seed, number)).permutation(self._count)
            start = place * self._batch_size
            chosen = self._share.of(order[start : start + self._batch_size])
            drawn = np.random.default_rng((self._seed, step, _SIDES)).integers(len(self.sides))
            side = self.sides[int(drawn)]
            # Augmented by the order's number: a sample looks different whenever it comes again.
            yield [_Request(number, int(index), side) for index in chosen]


def _item(picture: Picture, name: str) -> _Item:
    return _Item(
        image=torch.from_numpy(np.ascontiguousarray(picture.image.transpose(2, 0, 1))),
        label=torch.from_numpy(picture.mask),
        teacher=None if picture.soft is None else torch.from_numpy(picture.soft),
        name=name,
    )


def _collate(items: Sequence[_Item]) -> Batch:
    soft = [item.teacher for item in items if item.teacher is not None]
    return Batch(
        torch.stack([item.image for item in items]),
        torch.stack([item.label for item in items]),
        torch.stack(soft) if soft else None,
        tuple(item.name for item in items),
    )


def _use_one_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
