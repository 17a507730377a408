"""Likeness as the formulas say it, with numpy and for few pairs: what the compiled loops must find.

See `pipelines.pictures.near_duplicates.alignment`.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.descriptor import SIDE_PX, WINDOWS, resampling
from pipelines.pictures.near_duplicates.verify import Features

_STEPS = 4
_LARGEST_STEP = 0.03
_OUTSIDE = 0.04
_HOPELESS, _CERTAIN = 0.6, 0.97
_STRUCTURELESS = 0.75
_SAME_GREY = 1.0
_BLUR_SIGMA_PX = 0.8

Floats = NDArray[np.float32]


def plain_likeness(features: Features, pairs: NDArray[np.integer]) -> Floats:
    """Of described images; the first of a pair (P, 2) has the smaller row."""
    whole, part, mirrored, windows = _nearest_windows(features, pairs)
    source, target = _blurred(features.thumbs[whole]), _blurred(features.thumbs[part])
    target[mirrored] = target[mirrored, :, ::-1]
    result = _correlation(_stretched(source, windows), target)
    unsure = np.flatnonzero((result > _HOPELESS) & (result < _CERTAIN))
    if len(unsure):
        aligned = _refined(source[unsure], target[unsure], windows[unsure])
        refined = _correlation(_stretched(source[unsure], aligned), target[unsure])
        result[unsure] = np.maximum(result[unsure], refined)
    flat = np.minimum(_roughness(source), _roughness(target)) < _STRUCTURELESS
    same = np.abs(source[flat] - target[flat]).mean((1, 2)) <= _SAME_GREY
    result[flat] = same.astype(np.float32)
    return result


def _nearest_windows(
    features: Features, pairs: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.bool_], Floats]:
    """Find out which image is a window of which.

    Returns:
        (P,) the image with the window, (P,) the other one, (P,) whether that is mirrored, and (P,
        4) the window.
    """
    first, second = pairs.T
    distances = np.stack(
        [
            np.bitwise_count(features.windows[a][:, :, None] ^ features.hashes[b][:, None, :])
            for a, b in ((first, second), (second, first))
        ],
        axis=1,
    )  # (P, direction, window, mirrored)
    best = distances.reshape(len(pairs), -1).argmin(axis=1)
    direction, window, mirrored = np.unravel_index(best, distances.shape[1:])
    whole = np.where(direction == 0, first, second)
    part = np.where(direction == 0, second, first)
    return whole, part, mirrored == 1, WINDOWS[window]


def _refined(source: Floats, target: Floats, windows: Floats) -> Floats:
    """Move the edges of windows (P, 4) so that the sources' windows look like the targets."""
    share = ((np.arange(SIDE_PX) + 0.5) / SIDE_PX).astype(np.float32)
    down, across = share[:, None], share[None, :]
    windows = windows.copy()
    diagonal = np.arange(6)
    for _ in range(_STEPS):
        seen = _stretched(source, windows)
        height, width = windows[:, 1] - windows[:, 0], windows[:, 3] - windows[:, 2]
        by_y = np.gradient(seen, axis=1) * (SIDE_PX / height)[:, None, None]
        by_x = np.gradient(seen, axis=2) * (SIDE_PX / width)[:, None, None]
        effects = [by_y * (1 - down), by_y * down, by_x * (1 - across), by_x * across]
        slopes = np.stack([*effects, seen, np.ones_like(seen)], axis=1)
        # The outermost pixels are half outside where a window reaches the border.
        slopes = slopes[:, :, 1:-1, 1:-1].reshape(len(seen), 6, -1)
        missing = (target - seen)[:, 1:-1, 1:-1].reshape(len(seen), -1, 1)
        normal = slopes @ slopes.transpose(0, 2, 1)
        # A picture that is the same along one direction leaves an edge undetermined: keep it then.
        normal[:, diagonal, diagonal] = normal[:, diagonal, diagonal] * 1.0001 + 0.01
        step = np.linalg.solve(normal, slopes @ missing)[:, :4, 0]
        windows += np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        windows[:, [0, 2]] = windows[:, [0, 2]].clip(-_OUTSIDE, 0.4)
        windows[:, [1, 3]] = windows[:, [1, 3]].clip(0.6, 1 + _OUTSIDE)
    return windows


def _stretched(pictures: Floats, windows: Floats) -> Floats:
    """The windows (P, 4) of pictures (P, 32, 32), each at the size of its picture."""
    rows = resampling(windows[:, 0], windows[:, 1])
    columns = resampling(windows[:, 2], windows[:, 3])
    return np.asarray(rows @ pictures @ columns.transpose(0, 2, 1), np.float32)


def _blurred(thumbs: NDArray[np.uint8]) -> Floats:
    """Without detail as fine as a pixel, which copies of other sizes do not share."""
    offsets = np.arange(-3, 4)
    kernel = np.exp(-((offsets / _BLUR_SIGMA_PX) ** 2) / 2)
    # Columns of an identity continued by its last rows: a convolution that keeps the size.
    padded = np.pad(np.eye(SIDE_PX), ((3, 3), (0, 0)), mode="edge")
    blur = sum(k * padded[3 + o : 3 + o + SIDE_PX] for k, o in zip(kernel, offsets, strict=True))
    blur = np.asarray(blur / kernel.sum(), np.float32)
    return np.asarray(blur @ thumbs.astype(np.float32) @ blur.T, np.float32)


def _gradients(pictures: Floats) -> Floats:
    """(P, 2 × 900): differences over two pixels, downwards and across, without the border."""
    down = pictures[:, 2:, 1:-1] - pictures[:, :-2, 1:-1]
    across = pictures[:, 1:-1, 2:] - pictures[:, 1:-1, :-2]
    return np.stack([down, across], axis=1).reshape(len(pictures), -1)


def _roughness(pictures: Floats) -> Floats:
    return np.asarray(np.sqrt(np.square(_gradients(pictures) / 2).mean(axis=1)), np.float32)


def _correlation(a: Floats, b: Floats) -> Floats:
    """Cosine of the angle between the gradients of pictures (P, 32, 32); 0 where one has none."""
    x, y = _gradients(a), _gradients(b)
    norms = np.sqrt(np.square(x).sum(axis=1) * np.square(y).sum(axis=1))
    return np.asarray((x * y).sum(axis=1) / np.maximum(norms, 1e-6), np.float32)
