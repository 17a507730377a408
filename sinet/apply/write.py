"""Masks and overlays as files, whole or not at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from sinet.data.reading import Pixels
from sinet.errors import DataError

_TINT: Final = np.array((255, 64, 64), np.float32)  # RGB


@dataclass(frozen=True, slots=True)
class Style:
    """What a mask looks like.

    Attributes:
        threshold: None: grey, probability × 255. Else white where the probability is above it,
            black elsewhere.
        overlay: also write the picture with the person tinted red.
    """

    threshold: float | None = None
    overlay: bool = False

    def mask(self, person: npt.NDArray[np.float32]) -> Pixels:
        """Turn a probability (H, W), 0..1, into a grey picture, uint8 (H, W)."""
        if self.threshold is not None:
            return np.where(person > self.threshold, 255, 0).astype(np.uint8)
        return np.rint(np.clip(person, 0, 1) * 255).astype(np.uint8)


def tinted(image: Pixels, person: npt.NDArray[np.float32]) -> Pixels:
    """Tint the person in uint8 (H, W, 3) RGB red, by half of the probability."""
    share = 0.5 * person[..., None]
    return np.rint((1 - share) * image + share * _TINT).astype(np.uint8)


def heated(image: Pixels, attention: npt.NDArray[np.float32]) -> Pixels:
    """Show where attention is on uint8 (H, W, 3) RGB: dark blue little, yellow much.

    Args:
        image: to show it on.
        attention: (h, w), 0..1; its own range is spread over the colours.
    """
    low, high = float(attention.min()), float(attention.max())
    spread = (attention - low) / (high - low) if high > low else np.zeros_like(attention)
    levels = np.rint(spread * 255).astype(np.uint8)
    levels = cv2.resize(levels, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.addWeighted(image, 0.4, colours, 0.6, 0), np.uint8)


def write_picture(path: Path, pixels: Pixels) -> None:
    """Write uint8 (H, W) or (H, W, 3) RGB in the format of the suffix; make the folder.

    Raises:
        DataError: it cannot be written.
    """
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    _, encoded = cv2.imencode(path.suffix, pixels)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(encoded.tobytes())
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}).") from error
