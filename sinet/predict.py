"""From a picture to the probability of the person."""

import cv2
import numpy as np
import numpy.typing as npt
import torch

from sinet.checkpoint import Model


def predict(model: Model, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the probability that a pixel belongs to the person.

    Args:
        model: network and what its input must be.
        image: uint8 (H, W, 3) RGB, of any size.

    Returns:
        float32 (H, W), 0..1.

    Raises:
        ValueError: the image is no uint8 (H, W, 3) array, or empty.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"a uint8 (H, W, 3) RGB image is needed, not {image.dtype} {image.shape}.")
    return resize_probability(person_at_input(model, image), image.shape[:2])


def person_at_input(model: Model, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the probability of the person at the network's input size, float32, 0..1."""
    device = next(model.network.parameters()).device
    with torch.inference_mode():
        logits = model.network(model.input.prepare(image).to(device)).float()
        person = logits.softmax(1)[0, 1] if logits.shape[1] > 1 else logits[0, 0].sigmoid()
    return np.asarray(person.cpu().numpy(), np.float32)


def resize_probability(
    person: npt.NDArray[np.float32], shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Resize (H, W) bilinearly to another (height, width)."""
    if person.shape == shape:
        return person
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(person, size, interpolation=cv2.INTER_LINEAR), np.float32)
