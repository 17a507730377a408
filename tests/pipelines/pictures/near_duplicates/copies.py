"""What people and web sites do to photos, and fingerprints of the results."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.decode import decode, decode_jpeg_crop, encode_jpeg
from pipelines.pictures.near_duplicates.descriptor import descriptor
from pipelines.pictures.near_duplicates.grouping import Fingerprint
from pipelines.pictures.perceptual import perceptual_hashes, reduced

Pixels = NDArray[np.uint8]
Copy = Callable[[Pixels, np.random.Generator], Pixels]


def resized(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    """At a quarter to one and a half of its size."""
    factor = float(np.exp(rng.uniform(np.log(0.25), np.log(1.5))))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=method), np.uint8)


def encoded(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    """As a JPEG of quality 40 to 90."""
    return decode_jpeg_crop(encode_jpeg(rgb, int(rng.integers(40, 91))))


def mirrored(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    """Left and right swapped."""
    return np.ascontiguousarray(rgb[:, ::-1])


def cropped(rgb: Pixels, rng: np.random.Generator, share: float = 0.05) -> Pixels:
    """Without this share of its height and of its width, at random places."""
    height, width = (round(side * (1 - share)) for side in rgb.shape[:2])
    top = int(rng.integers(rgb.shape[0] - height + 1))
    left = int(rng.integers(rgb.shape[1] - width + 1))
    return np.ascontiguousarray(rgb[top : top + height, left : left + width])


def all_at_once(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    """Cropped, mirrored, resized and encoded."""
    return encoded(resized(mirrored(cropped(rgb, rng), rng), rng), rng)


COPIES: dict[str, tuple[Copy, float]] = {
    "resized, × 0.25 to 1.5": (resized, 0.99),
    "JPEG, quality 40 to 90": (encoded, 0.99),
    "mirrored": (mirrored, 0.99),
    "cropped by 5 %": (cropped, 0.95),
    "cropped, mirrored, resized, JPEG": (all_at_once, 0.95),
}
"""Ways to copy, and the share of copies to be found at least."""


def fingerprint(image_id: int, rgb: Pixels) -> Fingerprint:
    """As `ingest` would take it."""
    small = reduced(rgb)
    return Fingerprint(image_id, *perceptual_hashes(small), descriptor(small))


def photos(shared: Path, limit: int | None = None) -> Iterator[tuple[str, Pixels]]:
    """EG1800's photos with their names, one at a time."""
    folder = shared / "data" / "eg1800"
    names = [
        name for part in ("train", "val") for name in (folder / f"{part}.txt").read_text().split()
    ]
    for name in names[:limit]:
        data = (folder / "images" / f"{name}.jpg").read_bytes()
        yield name, decode(data, max_pixels=10**8).rgb
