"""What a teacher is: something that knows where there is a person in a picture."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Probability = NDArray[np.float32]


class Teacher(Protocol):
    """Proposes person probabilities. Implementations are not shared between threads."""

    name: str
    """Network and the SHA-256 of its weights, as recorded with every mask."""

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """Person probability at native resolution.

        Args:
            batch: RGB uint8 (H, W, 3) arrays of any sizes.

        Returns:
            For each image an (H, W) float32 array in [0, 1]. On a CPU the answer for one image
            does not depend on the others of the batch, to the last bit.
        """
        ...


class TeacherModel:
    """A teacher as `sinet` wants its models."""

    def __init__(self, teacher: Teacher, parameters: int) -> None:
        """Take a teacher and the number of its weights."""
        self._teacher = teacher
        self.parameters = parameters

    def person_at_input(self, image: Image) -> Probability:
        """See `PersonModel`; at the image's own size."""
        return self._teacher.person_probability([image])[0]

    def people_at_input(self, images: Sequence[Image]) -> list[Probability]:
        """See `PersonModel`; each at its image's own size."""
        return self._teacher.person_probability(images)


def to_native(probability: Probability, image: Image) -> Probability:
    """Bring a probability map to the size of its image, bilinearly; stays within [0, 1]."""
    height, width = image.shape[:2]
    if probability.shape == (height, width):
        return probability
    return np.asarray(cv2.resize(probability, (width, height)), np.float32)


def softmax_channel(logits: NDArray[np.float32], channel: int) -> Probability:
    """One channel of the softmax over the first axis, without computing the others.

    Args:
        logits: (C, H, W) float32.
        channel: which of the C.

    Returns:
        (H, W) float32 in [0, 1]: 1 / Σ exp(l_c − l_channel). Class by class over one buffer, which
        stays in the cache: at 21 classes a sixth of the time of a softmax over all.
    """
    reference = logits[channel]
    total = np.ones_like(reference)
    buffer = np.empty_like(reference)
    with np.errstate(over="ignore"):  # exp overflows to inf where the channel is hopeless: p = 0
        for index, other in enumerate(logits):
            if index != channel:
                np.subtract(other, reference, out=buffer)
                np.exp(buffer, out=buffer)
                total += buffer
    return np.asarray(np.reciprocal(total), np.float32)


def sigmoid(logits: NDArray[np.float32]) -> Probability:
    """1 / (1 + exp(−x)), elementwise, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)
