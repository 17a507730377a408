"""Errors of mattes: by hand, and against the published definitions written out another way."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.measure import label

from sinet.metrics.matte import Alpha, MatteErrors, matte_errors


def whole(alpha: Alpha) -> npt.NDArray[np.bool_]:
    return np.ones(alpha.shape, np.bool_)


def of(rows: list[list[float]]) -> Alpha:
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("found", "truth", "sad", "mse"),
    [
        ([[0, 1]], [[0, 1]], 0, 0),
        ([[0, 1]], [[1, 0]], 0.002, 1),
        ([[0.5, 1]], [[0, 1]], 0.0005, 0.125),
        ([[0.25, 0.5], [0.75, 1]], [[0, 0], [1, 1]], 0.001, (0.0625 + 0.25 + 0.0625) / 4),
    ],
)
def test_differences_by_hand(
    found: list[list[float]], truth: list[list[float]], sad: float, mse: float
) -> None:
    errors = matte_errors(of(found), of(truth), whole(of(found)))
    assert errors.sad == pytest.approx(sad)
    assert errors.mse == pytest.approx(mse)


def test_only_the_region_counts() -> None:
    found, truth = of([[0.5, 1], [0, 1]]), of([[0, 1], [1, 1]])
    region = np.array([[True, True], [False, False]])
    errors = matte_errors(found, truth, region)
    assert (errors.sad, errors.mse) == (pytest.approx(0.0005), pytest.approx(0.125))
    assert matte_errors(found, truth, ~whole(found)) == MatteErrors(0, 0, 0, 0)


def test_an_edge_has_the_gradient_of_its_kernel() -> None:
    """A step of 1 along x: at its foot the magnitude is the sum of one half of the kernel."""
    truth = np.zeros((15, 16), np.float32)
    truth[:, 8:] = 1
    flat = np.zeros_like(truth)
    region = np.zeros(truth.shape, np.bool_)
    region[7, 8] = True
    at = np.arange(-4, 5)
    smooth = np.exp(-(at**2) / (2 * 1.4**2))
    slope = at * smooth
    smooth, slope = smooth / math.sqrt((smooth**2).sum()), slope / math.sqrt((slope**2).sum())
    expected = (abs(slope[4:].sum()) * smooth.sum()) ** 2 / 1000
    assert matte_errors(flat, truth, region).grad == pytest.approx(expected)


def test_a_part_that_hangs_together_with_nothing() -> None:
    """An island of 0.8 in the truth's background is 0.8 away from what is connected."""
    truth = np.zeros((8, 8), np.float32)
    truth[:, :4] = 1
    found = truth.copy()
    found[2, 6] = 0.8
    assert matte_errors(found, truth, whole(truth)).conn == pytest.approx(0.0008)
    found[2, 6] = 0.1  # closer than 0.15 does not count
    assert matte_errors(found, truth, whole(truth)).conn == 0


def random_mattes(seed: int) -> tuple[Alpha, Alpha, npt.NDArray[np.bool_]]:
    chance = np.random.default_rng(seed)
    shapes = [ndimage.gaussian_filter(chance.random((40, 57)), 4) for _ in range(2)]
    # Not on the levels of Conn, where rounding decides.
    alphas = [np.clip((each - each.mean()) * 12 + 0.5, 0, 1) * 0.997 for each in shapes]
    found, truth = (each.astype(np.float32) for each in alphas)
    return found, truth, chance.random(found.shape) < 0.4


@pytest.mark.parametrize("seed", range(4))
def test_the_published_definitions(seed: int) -> None:
    found, truth, region = random_mattes(seed)
    errors = matte_errors(found, truth, region)
    assert errors.sad == pytest.approx(sum(abs(found[region] - truth[region]).tolist()) / 1000)
    assert errors.mse == pytest.approx(np.mean((found[region] - truth[region]) ** 2), rel=1e-5)
    assert errors.grad == pytest.approx(gradient_error(found, truth, region), rel=1e-9)
    assert errors.conn == pytest.approx(connectivity_error(found, truth, region), rel=1e-5)


def gradient_error(found: Alpha, truth: Alpha, region: npt.NDArray[np.bool_]) -> float:
    """By two-dimensional kernels, as `gaussgradient` of the benchmark's MATLAB has them."""
    sigma, epsilon = 1.4, 1e-2
    half = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * epsilon)))
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    for i in range(-half, half + 1):
        for j in range(-half, half + 1):
            density = math.exp(-(i**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
            other = math.exp(-(j**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
            kernel[i + half, j + half] = density * (-j * other / sigma**2)
    kernel /= math.sqrt((kernel**2).sum())
    amplitudes = []
    for alpha in (found.astype(float), truth.astype(float)):
        x = ndimage.correlate(alpha, kernel, mode="nearest")
        y = ndimage.correlate(alpha, kernel.T, mode="nearest")
        amplitudes.append(np.sqrt(x**2 + y**2))
    return float(((amplitudes[0] - amplitudes[1]) ** 2)[region].sum() / 1000)


def connectivity_error(found: Alpha, truth: Alpha, region: npt.NDArray[np.bool_]) -> float:
    """As the benchmark's MATLAB goes through the levels."""
    levels = [step / 10 for step in range(11)]
    up_to = -np.ones(found.shape)
    for below, level in pairwise(levels):
        parts = label((found >= level) & (truth >= level), connectivity=1)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        omega = (parts == sizes.argmax()) if sizes.any() else np.zeros(parts.shape, bool)
        up_to[(up_to == -1) & ~omega] = below
    up_to[up_to == -1] = 1
    phi = []
    for alpha in (found, truth):
        distance = alpha - up_to
        phi.append(1 - distance * (distance >= 0.15))
    return float(np.abs(phi[0] - phi[1])[region].sum() / 1000)
