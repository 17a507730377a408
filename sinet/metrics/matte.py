"""How far an alpha matte is from the true one: SAD, MSE, Grad and Conn, as the literature has them.

Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting" (CVPR 2009), with the
parameters and units of the evaluation code that came with Composition-1k (Xu et al., "Deep Image
Matting", CVPR 2017): SAD, Grad and Conn are sums over a region, in thousands; MSE is a mean. The
region is the trimap's unknown band, or the whole image.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Alpha: TypeAlias = npt.NDArray[np.float32]
Region: TypeAlias = npt.NDArray[np.bool_]

_SIGMA: Final = 1.4
_CUT: Final = 1e-2
"""Where the Gaussian is so low, the kernels of Grad end."""
_STEPS: Final = 10
_FREE: Final = 0.15
"""Conn ignores smaller distances to the connected part."""
_IN_THOUSANDS: Final = 1000


@dataclass(frozen=True, slots=True)
class MatteErrors:
    """Of one matte, or means of many; lower is better.

    Attributes:
        sad: sum of absolute differences, in thousands of pixels.
        mse: mean of squared differences, 0..1; papers often give it times 1,000.
        grad: sum of squared differences of the gradient's magnitude, in thousands.
        conn: sum of differences in how far a pixel is from what is connected, in thousands.
    """

    sad: float
    mse: float
    grad: float
    conn: float


def matte_errors(found: Alpha, truth: Alpha, region: Region) -> MatteErrors:
    """Compare two mattes.

    Args:
        found: (H, W) float32 in [0, 1], 1 the person.
        truth: likewise.
        region: (H, W) bool: the pixels that count.

    Returns:
        All 0 where no pixel counts.
    """
    if not region.any():
        return MatteErrors(0.0, 0.0, 0.0, 0.0)
    difference = (found - truth)[region].astype(np.float64)
    slopes = (_magnitude(found) - _magnitude(truth))[region]
    shared = _connected_up_to(found, truth)
    apart = (_connection(found, shared) - _connection(truth, shared))[region]
    return MatteErrors(
        sad=float(np.abs(difference).sum()) / _IN_THOUSANDS,
        mse=float(np.square(difference).mean()),
        grad=float(np.square(slopes).sum()) / _IN_THOUSANDS,
        conn=float(np.abs(apart).sum()) / _IN_THOUSANDS,
    )


@cache
def _kernels() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A Gaussian and its derivative, each of length 1: so is their product in two dimensions."""
    half = math.ceil(_SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * _SIGMA * _CUT)))
    at = np.arange(-half, half + 1, dtype=np.float64)
    smooth = np.exp(-(at**2) / (2 * _SIGMA**2)) / (_SIGMA * math.sqrt(2 * math.pi))
    slope = -at * smooth / _SIGMA**2
    return smooth / np.linalg.norm(smooth), slope / np.linalg.norm(slope)


def _magnitude(alpha: Alpha) -> npt.NDArray[np.float64]:
    smooth, slope = _kernels()
    exact = alpha.astype(np.float64)
    along = [
        cv2.sepFilter2D(exact, cv2.CV_64F, x, y, borderType=cv2.BORDER_REPLICATE)
        for x, y in ((slope, smooth), (smooth, slope))
    ]
    return np.asarray(np.hypot(*along))


def _connected_up_to(found: Alpha, truth: Alpha) -> npt.NDArray[np.float64]:
    """Up to which level a pixel is in the largest part that is connected in both mattes."""
    level = np.full(found.shape, -1.0)
    both = np.minimum(found, truth)
    for step in range(1, _STEPS + 1):
        part = _largest(both >= np.float32(step / _STEPS))
        level[(level < 0) & ~part] = (step - 1) / _STEPS
    level[level < 0] = 1.0
    return level


def _largest(mask: Region) -> Region:
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    if number < 2:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))


def _connection(alpha: Alpha, shared: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    distance = alpha - shared
    return np.asarray(1 - np.where(distance >= _FREE, distance, 0.0))
