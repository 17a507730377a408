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
    device = next(model.network.parameters()).device
    with torch.inference_mode():
        logits = model.network(model.input.prepare(image).to(device)).float()
        person = logits.softmax(1)[0, 1] if logits.shape[1] > 1 else logits[0, 0].sigmoid()
    height, width = image.shape[:2]
    resized = cv2.resize(person.cpu().numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(resized, 0, 1, dtype=np.float32)
