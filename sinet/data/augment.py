"""Augmentation as in the paper, on uint8 pixels with OpenCV.

One affine warp (fit, flip, scale, rotation, shift), then colour, brightness, contrast and
sharpness, then blur, then noise. The mask goes through the same warp, and only through it.
"""

from functools import partial
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from sinet.data.reading import Picture, Pixels, average_down
from sinet.labels import IGNORED
from sinet.pictures.threshold import is_person

_PAD_GREY: Final = (128, 128, 128)
# Smoothing kernel of Pillow's `SMOOTH`, against which sharpness is defined.
_SMOOTH: Final = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13

Range: TypeAlias = tuple[float, float]


class Augmentation(BaseModel):
    """How far a training image is changed; the defaults are the paper's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rotation_degrees: float = Field(default=45, ge=0, description="Largest, either way.")
    scale: Range = Field(default=(0.5, 1.5), description="Relative to fitting the input.")
    translation: float = Field(default=0.25, ge=0, description="Largest, in parts of the side.")
    flip_probability: float = Field(default=0.5, ge=0, le=1)
    probability: float = Field(
        default=0.5, ge=0, le=1, description="Of each change of colour, sharpness, blur and noise."
    )
    colour: Range = Field(default=(0.4, 1.7), description="1 keeps; 0 is grey.")
    brightness: Range = Field(default=(0.4, 1.7), description="Factor.")
    contrast: Range = Field(default=(0.6, 1.5), description="1 keeps; 0 is the mean grey.")
    sharpness: Range = Field(default=(0.8, 1.3), description="1 keeps; 0 is smoothed.")
    channel_gain: float = Field(
        default=0.0, ge=0, lt=1, description="Largest change of one channel's gain (not the paper)."
    )
    blur_kernels: tuple[int, ...] = Field(default=(3, 5), description="Pixels, odd.")
    noise_sigma: float = Field(default=10.0, ge=0, description="Largest, on the scale 0..255.")
    background_probability: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Of the background of another training image (not the paper).",
    )
    street_probability: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="That the person stands smaller before a part of another training image, "
        "in half of them with somebody else out of focus (not the paper).",
    )
    nobody_probability: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="That the person is painted over and nobody is left to find (not the paper).",
    )


def augment(
    picture: Picture,
    size: tuple[int, int],
    how: Augmentation,
    rng: np.random.Generator,
    *,
    has_classes: bool = False,
) -> Picture:
    """Change a picture at random, its masks with its image.

    Args:
        picture: any size.
        size: (height, width) of the result.
        how: far it may go.
        rng: the only source of chance.
        has_classes: its mask holds classes.

    Returns:
        A picture of `size`: grey 128 and no person where the original does not reach; of classes,
        `IGNORED`.
    """
    picture = _warp(picture, size, how, rng, has_classes=has_classes)
    image = _recolour(picture.image, how, rng)
    if how.blur_kernels and rng.random() < how.probability:
        image = _blur(image, int(rng.choice(how.blur_kernels)), rng.random())
    if how.noise_sigma and rng.random() < how.probability:
        image = _add_noise(image, rng.uniform(0, how.noise_sigma), rng)
    return picture._replace(image=image)


def affine(
    source: tuple[int, int],
    target: tuple[int, int],
    *,
    degrees: float = 0,
    scale: float = 1,
    shift: tuple[float, float] = (0, 0),
    flip: bool = False,
) -> npt.NDArray[np.float64]:
    """Return the (2, 3) matrix that maps source pixels (x, y) to target pixels.

    At the defaults it is the plain resize: the whole source fills the whole target.

    Args:
        source: (height, width) of the picture.
        target: (height, width) of the result.
        degrees: clockwise, about the centre of the target.
        scale: about the centre of the target.
        shift: (x, y) in parts of the target's sides.
        flip: mirror left and right.
    """
    fit_x, fit_y = target[1] / source[1], target[0] / source[0]
    # From pixel centres to coordinates about the centre, one unit a target pixel.
    centre = np.array(
        [[fit_x, 0, fit_x * (0.5 - source[1] / 2)], [0, fit_y, fit_y * (0.5 - source[0] / 2)]]
    )
    if flip:
        centre[0] = -centre[0]
    cosine, sine = np.cos(np.radians(degrees)) * scale, np.sin(np.radians(degrees)) * scale
    turn = np.array([[cosine, -sine], [sine, cosine]])
    matrix: npt.NDArray[np.float64] = turn @ centre
    matrix[0, 2] += target[1] * (0.5 + shift[0]) - 0.5
    matrix[1, 2] += target[0] * (0.5 + shift[1]) - 0.5
    return matrix


def _warp(
    picture: Picture,
    size: tuple[int, int],
    how: Augmentation,
    rng: np.random.Generator,
    *,
    has_classes: bool,
) -> Picture:
    scale = rng.uniform(*how.scale)
    degrees = rng.uniform(-how.rotation_degrees, how.rotation_degrees)
    shift = (
        rng.uniform(-how.translation, how.translation),
        rng.uniform(-how.translation, how.translation),
    )
    flip = bool(rng.random() < how.flip_probability)
    if has_classes:
        return _warp_classes(picture, size, degrees=degrees, scale=scale, shift=shift, flip=flip)
    # The mask goes as grey and is cut to 0 and 1 once, at the end.
    planes = [picture.image, picture.mask * np.uint8(255)]
    if picture.soft is not None:
        planes.append(picture.soft)
    source = picture.shape
    # Bilinear sampling of a picture shrunk by more than 2 would skip pixels.
    while scale * min(size[0] / source[0], size[1] / source[1]) < 0.5:
        source = (max(1, source[0] // 2), max(1, source[1] // 2))
        planes = [average_down(plane, source) for plane in planes]
    matrix = affine(source, size, degrees=degrees, scale=scale, shift=shift, flip=flip)
    borders = (_PAD_GREY, (0,), (0,))
    image, cover, *soft = (
        np.asarray(cv2.warpAffine(plane, matrix, size[::-1], borderValue=border), np.uint8)
        for plane, border in zip(planes, borders, strict=False)
    )
    return Picture(image, is_person(cover).view(np.uint8), soft[0] if soft else None)


def _warp_classes(
    picture: Picture,
    size: tuple[int, int],
    *,
    degrees: float,
    scale: float,
    shift: tuple[float, float],
    flip: bool,
) -> Picture:
    """Warp an image smoothly, and its classes each pixel as the nearest."""
    image, source = picture.image, picture.shape
    while scale * min(size[0] / source[0], size[1] / source[1]) < 0.5:
        source = (max(1, source[0] // 2), max(1, source[1] // 2))
        image = average_down(image, source)
    to_size = partial(affine, target=size, degrees=degrees, scale=scale, shift=shift, flip=flip)
    warped = cv2.warpAffine(image, to_size(source), size[::-1], borderValue=_PAD_GREY)
    labels = cv2.warpAffine(
        picture.mask,
        to_size(picture.shape),
        size[::-1],
        flags=cv2.INTER_NEAREST,
        borderValue=(IGNORED,),
    )
    return Picture(np.asarray(warped, np.uint8), np.asarray(labels, np.uint8))


def _recolour(image: Pixels, how: Augmentation, rng: np.random.Generator) -> Pixels:
    if rng.random() < how.probability:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        image = _blend(np.asarray(grey, np.uint8), image, rng.uniform(*how.colour))
    # Brightness, contrast and gains are straight lines: one table does them all.
    levels = np.arange(256, dtype=np.float64)[:, None].repeat(3, axis=1)
    if rng.random() < how.probability:
        levels *= rng.uniform(*how.brightness)
    if rng.random() < how.probability:
        mean = float(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8).mean())
        mean = float(np.interp(mean, np.arange(256), levels[:, 1]))
        levels = mean + (levels - mean) * rng.uniform(*how.contrast)
    if how.channel_gain and rng.random() < how.probability:
        levels *= rng.uniform(1 - how.channel_gain, 1 + how.channel_gain, size=3)
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), np.uint8)
    if rng.random() < how.probability:
        smooth = cv2.filter2D(image, -1, _SMOOTH)
        image = _blend(np.asarray(smooth, np.uint8), image, rng.uniform(*how.sharpness))
    return image


def _blend(far: Pixels, near: Pixels, weight: float) -> Pixels:
    """Go from `far` (weight 0) to `near` (1) and beyond."""
    return np.asarray(cv2.addWeighted(far, 1 - weight, near, weight, 0), np.uint8)


def _blur(image: Pixels, kernel: int, draw: float) -> Pixels:
    """Blur: Gaussian in 30 % of draws from 0..1, median in 30 %, box in the rest."""
    if draw < 0.3:
        return np.asarray(cv2.GaussianBlur(image, (kernel, kernel), 0), np.uint8)
    if draw < 0.6:
        return np.asarray(cv2.medianBlur(image, kernel), np.uint8)
    return np.asarray(cv2.blur(image, (kernel, kernel)), np.uint8)


def _add_noise(image: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(sigma)
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
