"""Put a person before the background of another picture, or take the person away."""

import cv2
import numpy as np
import numpy.typing as npt

from sinet.data.reading import Picture, Pixels

# The hole is filled from a small copy: fast, and smooth, since nothing there has details.
_FILL_SIDE_PX = 64
_FILL_SIGMAS_PX = (1.5, 4.0, 12.0, 40.0)


def without_person(picture: Picture) -> Pixels:
    """Return the image, uint8 (H, W, 3) RGB, with the person painted over by what is around."""
    image, mask = picture.image, picture.mask
    grown = np.asarray(cv2.dilate(mask, np.ones((9, 9), np.uint8)), np.uint8)
    kept = (1 - grown).astype(np.float32)
    seen = _resized(kept, (_FILL_SIDE_PX, _FILL_SIDE_PX), cv2.INTER_AREA)
    colour = _resized(image * kept[..., None], (_FILL_SIDE_PX, _FILL_SIDE_PX), cv2.INTER_AREA)
    filled = np.zeros_like(colour)
    weight = np.zeros_like(seen)
    # From near to far: each wider blur fills what the narrower ones did not reach.
    for sigma in _FILL_SIGMAS_PX:
        near = _blurred(seen, sigma)
        share = (1 - weight) * np.clip(near * 4, 0, 1)
        around = _blurred(colour, sigma) / np.maximum(near, 1e-6)[..., None]
        filled = filled + around * share[..., None]
        weight = weight + share
    patch = _resized(filled / np.maximum(weight, 1e-6)[..., None], picture.shape, cv2.INTER_LINEAR)
    hole = np.maximum(_blurred(grown.astype(np.float32), 2), grown)[..., None]
    painted = image * (1 - hole) + patch * hole
    return np.asarray(np.clip(np.rint(painted), 0, 255), np.uint8)


def nobody_left(picture: Picture) -> Picture:
    """Return the picture as `without_person` paints it, with masks that say so."""
    soft = None if picture.soft is None else np.zeros_like(picture.soft)
    return Picture(without_person(picture), np.zeros_like(picture.mask), soft)


def replace_background(picture: Picture, background: Pixels) -> Picture:
    """Show the person of one picture before another, with an edge one pixel soft.

    Args:
        picture: with the person; its soft mask, if any, becomes 0 away from the person.
        background: uint8 (any, any, 3) RGB; stretched to the picture.
    """
    mask = picture.mask
    behind = _resized(background.astype(np.float32), picture.shape, cv2.INTER_LINEAR)
    # Slightly shrunk before it is softened, so that no rim of the old background shows.
    inner = np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)), np.float32)
    alpha = np.asarray(cv2.GaussianBlur(inner, (5, 5), 0))[..., None]
    image = np.asarray(np.rint(picture.image * alpha + behind * (1 - alpha)), np.uint8)
    soft = picture.soft
    if soft is not None:
        soft = soft * np.asarray(cv2.dilate(mask, np.ones((15, 15), np.uint8)), np.uint8)
    return Picture(image, mask, soft)


def _resized(
    values: npt.NDArray[np.float32], shape: tuple[int, int], method: int
) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=method), np.float32)


def _blurred(values: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
