"""Let a teacher look at the training pictures once, before a student learns from it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from sinet.data.listing import Sample
from sinet.data.reading import Pixels, read_image

Teacher = Callable[[Pixels], npt.NDArray[np.float32]]
"""Maps uint8 (H, W, 3) RGB to the probability of the person, float32 (H, W), 0..1."""


def write_soft_masks(samples: Iterable[Sample], teacher: Teacher, folder: Path) -> int:
    """Write a teacher's masks as `<name>.png`, grey, probability × 255; keep those there are.

    Args:
        samples: to look at.
        teacher: any function from a picture to a probability.
        folder: made if it is missing.

    Returns:
        How many were written.

    Raises:
        DataError: an image cannot be read.
        ValueError: the teacher's answer has another size than the image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for sample in samples:
        path = folder / f"{sample.name}.png"
        if path.exists():
            continue
        image = read_image(sample.image)
        person = teacher(image)
        if person.shape != image.shape[:2]:
            raise ValueError(
                f"{sample.image}: the teacher answered {person.shape}, not {image.shape[:2]}."
            )
        grey = np.rint(np.clip(person, 0, 1) * 255).astype(np.uint8)
        _, encoded = cv2.imencode(".png", grey)
        partial = path.with_suffix(".partial")
        partial.write_bytes(encoded.tobytes())
        partial.replace(path)
        written += 1
    return written
