"""Put a person before the background of another picture."""

import cv2
import numpy as np

from sinet.data.reading import Pixels

# The hole is filled from a small copy: fast, and smooth, since nothing there has details.
_FILL_SIDE_PX = 64


def without_person(image: Pixels, mask: Pixels) -> Pixels:
    """Return the picture with the person painted over by what surrounds it.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) of 0 and 1.
    """
    height, width = mask.shape
    grown = cv2.dilate(mask, np.ones((9, 9), np.uint8))
    small_size = (_FILL_SIDE_PX, _FILL_SIDE_PX)
    seen = cv2.resize((1 - grown).astype(np.float32), small_size, interpolation=cv2.INTER_AREA)
    colour = (image * (1 - grown)[..., None]).astype(np.float32)
    colour = cv2.resize(colour, small_size, interpolation=cv2.INTER_AREA)
    filled = np.zeros_like(colour)
    weight = np.zeros_like(seen)
    # From near to far: each wider blur fills what the narrower ones did not reach.
    for sigma in (1.5, 4.0, 12.0, 40.0):
        near = cv2.GaussianBlur(seen, (0, 0), sigma)
        blurred = cv2.GaussianBlur(colour, (0, 0), sigma) / np.maximum(near, 1e-6)[..., None]
        share = (1 - weight) * np.clip(near * 4, 0, 1)
        filled += blurred * share[..., None]
        weight += share
    filled /= np.maximum(weight, 1e-6)[..., None]
    patch = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    hole = cv2.GaussianBlur(grown.astype(np.float32), (0, 0), 2)[..., None]
    hole = np.maximum(hole, grown[..., None])
    return np.clip(np.rint(image * (1 - hole) + patch * hole), 0, 255).astype(np.uint8)


def replace_background(image: Pixels, mask: Pixels, background: Pixels) -> Pixels:
    """Show the person of one picture before another, with an edge one pixel soft.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) of 0 and 1.
        background: uint8 (any, any, 3) RGB; stretched to the image.
    """
    behind = cv2.resize(background, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # Slightly shrunk before it is softened, so that no rim of the old background shows.
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(np.float32)
    alpha = cv2.GaussianBlur(inner, (5, 5), 0)[..., None]
    return np.rint(image * alpha + behind * (1 - alpha)).astype(np.uint8)
