"""From a picture to the probability of the person."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from sinet.errors import NetworkOutputError


class PersonModel(Protocol):
    """Anything that finds the person: weights of ours (`Model`) or an exported network.

    Threads may share one.
    """

    @property
    def parameters(self) -> int:
        """Number of weights."""
        ...

    def person_at_input(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map uint8 (H, W, 3) RGB of any size to the person's probability, as fine as it is.

        Returns:
            float32 (h, w), 0..1, of the whole picture; (h, w) is whatever the network answers in.
        """
        ...

    def people_at_input(
        self, images: Sequence[npt.NDArray[np.uint8]]
    ) -> list[npt.NDArray[np.float32]]:
        """`person_at_input` of several pictures, in one pass where that is quicker."""
        ...


def predict(model: PersonModel, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the probability that a pixel belongs to the person.

    Args:
        model: network and what its input must be.
        image: uint8 (H, W, 3) RGB, of any size.

    Returns:
        float32 (H, W), 0..1.

    Raises:
        ValueError: the image is no uint8 (H, W, 3) array, or empty.
    """
    (person,) = predict_all(model, [image])
    return person


def predict_all(
    model: PersonModel, images: Sequence[npt.NDArray[np.uint8]]
) -> list[npt.NDArray[np.float32]]:
    """`predict` of several pictures of any sizes, in one pass where that is quicker.

    Raises:
        ValueError: an image is no uint8 (H, W, 3) array, or empty.
    """
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(
                f"a uint8 (H, W, 3) RGB image is needed, not {image.dtype} {image.shape}."
            )
    people = model.people_at_input(images)
    return [
        resize_probability(person, image.shape[:2])
        for person, image in zip(people, images, strict=True)
    ]


def predict_each(
    model: PersonModel, images: Sequence[npt.NDArray[np.uint8]]
) -> list[npt.NDArray[np.float32] | NetworkOutputError]:
    """`predict_all`; where a picture's answer is of no use, its place holds the error."""
    try:
        return [*predict_all(model, images)]
    except NetworkOutputError as error:
        if len(images) == 1:
            return [error]
    return [found for image in images for found in predict_each(model, [image])]


def resize_probability(
    person: npt.NDArray[np.float32], shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Resize (H, W) bilinearly to another (height, width)."""
    if person.shape == shape:
        return person
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(person, size, interpolation=cv2.INTER_LINEAR), np.float32)
