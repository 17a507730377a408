"""Put a person before the background of another picture, or take the person away."""

import cv2
import numpy as np
import numpy.typing as npt

from sinet.data.reading import Picture, Pixels

# The hole is filled from a small copy: fast, and smooth, since nothing there has details.
_FILL_SIDE_PX = 64
_FILL_SIGMAS_PX = (1.5, 4.0, 12.0, 40.0)

_SMALLEST_PART, _TRIES = 0.15, 300
_NEAR, _FAR = (0.55, 0.95), (0.3, 0.8)
"""Parts of a picture's sides that a person with its surroundings takes, and a bystander."""
_OUT_OF_FOCUS = (0.01, 0.03)
"""Sigma of what stands in the background, in parts of the picture's height."""


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
    behind = _resized(background.astype(np.float32), picture.shape, cv2.INTER_LINEAR)
    alpha = _alpha(picture.mask)
    image = np.asarray(np.rint(picture.image * alpha + behind * (1 - alpha)), np.uint8)
    return Picture(image, picture.mask, _soft_nearby(picture))


def empty_part(picture: Picture, rng: np.random.Generator) -> Pixels | None:
    """Return the largest of some random parts of the image in which nobody is; None: there is none.

    Stretched to the size of a picture it is what is behind a person, out of focus.

    Returns:
        uint8 (h, w, 3) RGB.
    """
    shape = np.array(picture.shape)
    sizes = np.maximum(
        1, (shape * _SMALLEST_PART ** rng.uniform(size=(_TRIES, 2))).astype(np.int64)
    )
    rows, columns = sizes.T
    top, left = (rng.uniform(size=(_TRIES, 2)) * (shape - sizes)).astype(np.int64).T
    people = np.asarray(cv2.integral(picture.mask), np.int64)
    bottom, right = top + rows, left + columns
    inside = people[bottom, right] - people[top, right] - people[bottom, left] + people[top, left]
    best = int(np.argmax(np.where(inside == 0, rows * columns, 0)))
    if inside[best]:
        return None
    return picture.image[top[best] : bottom[best], left[best] : right[best]]


def stand_before(
    picture: Picture, background: Pixels, rng: np.random.Generator, bystander: Picture | None = None
) -> Picture:
    """Show the person smaller, at the lower edge, so that the background is seen beside the body.

    A portrait's lower corners are mostly of the person, those of a photo of somebody in the street
    are not.

    Args:
        picture: with the person.
        background: uint8 (any, any, 3) RGB; stretched to the picture.
        rng: of size and place.
        bystander: whose person stands in the background, out of focus; None: nobody does.
    """
    image = _resized(background.astype(np.float32), picture.shape, cv2.INTER_LINEAR)
    if bystander is not None:
        other = _shrunk(bystander, _FAR, picture.shape, rng)
        sigma = rng.uniform(*_OUT_OF_FOCUS) * picture.shape[0]
        colours = _blurred(other.image.astype(np.float32) * other.mask[..., None], sigma)
        alpha = _blurred(other.mask.astype(np.float32), sigma)[..., None]
        image = image * (1 - alpha) + colours
    near = _shrunk(picture, _NEAR, picture.shape, rng)
    alpha = _alpha(near.mask)
    image = near.image * alpha + image * (1 - alpha)
    return Picture(
        np.asarray(np.clip(np.rint(image), 0, 255), np.uint8), near.mask, _soft_nearby(near)
    )


def _shrunk(
    picture: Picture, share: tuple[float, float], shape: tuple[int, int], rng: np.random.Generator
) -> Picture:
    """A picture as a part of a black one of that shape, at its lower edge."""
    height, width = shape
    factor = rng.uniform(*share)
    rows, columns = max(1, round(height * factor)), max(1, round(width * factor))
    left = int(rng.integers(width - columns + 1))

    def placed(values: Pixels, method: int) -> Pixels:
        canvas = np.zeros((height, width, *values.shape[2:]), np.uint8)
        small = cv2.resize(values, (columns, rows), interpolation=method)
        canvas[height - rows :, left : left + columns] = small
        return canvas

    soft = None if picture.soft is None else placed(picture.soft, cv2.INTER_AREA)
    mask = placed(picture.mask, cv2.INTER_NEAREST_EXACT)
    return Picture(placed(picture.image, cv2.INTER_AREA), mask, soft)


def _alpha(mask: Pixels) -> npt.NDArray[np.float32]:
    """(H, W, 1), slightly shrunk before it is softened: no rim of the old background shows."""
    inner = np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)), np.float32)
    return np.asarray(cv2.GaussianBlur(inner, (5, 5), 0), np.float32)[..., None]


def _soft_nearby(picture: Picture) -> Pixels | None:
    """The soft mask, 0 away from the person: what a teacher saw there is gone."""
    if picture.soft is None:
        return None
    near = np.asarray(cv2.dilate(picture.mask, np.ones((15, 15), np.uint8)), np.uint8)
    return picture.soft * near


def _resized(
    values: npt.NDArray[np.float32], shape: tuple[int, int], method: int
) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=method), np.float32)


def _blurred(values: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
