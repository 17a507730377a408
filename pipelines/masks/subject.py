"""From a person probability to the mask of one portrait's main subject.

Three steps, each measured in docs/masks.md: the probability is drawn to the photo's edges (a
teacher at output stride 16 knows them to 16 pixels), the region that carries this portrait's face
is kept and parted from other people's faces, and holes inside the person are closed.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.geometry import Face, face_window
from pipelines.workspace.settings import SubjectSettings
from sinet.resample import shrink

Probability = NDArray[np.float32]
Mask = NDArray[np.bool_]


def main_subject(
    probability: Probability,
    rgb: NDArray[np.uint8],
    face: Face,
    others: Sequence[Face],
    settings: SubjectSettings,
) -> Mask:
    """Keep the person who carries `face`.

    Args:
        probability: (H, W) float32 in [0, 1], the teacher's.
        rgb: (H, W, 3) uint8, the crop.
        face: this portrait's face, in pixels of the crop.
        others: the other faces of the image, in pixels of the crop; they may lie outside it.
        settings: thresholds.

    Returns:
        (H, W) bool. Without a person anywhere near the face it is the thresholded probability
        as it is, so that the verdict can say `face_outside_mask` or `empty_mask` of it.
    """
    mask = refine_edges(probability, rgb, settings) > settings.threshold
    rivals = [
        other
        for other in others
        if other.confidence >= settings.bystander_confidence
        and other.height >= settings.bystander_height_in_faces * face.height
    ]
    if rivals:
        own = nearest_face_region(mask.shape, face, rivals)
        if (mask & own).any():
            mask &= own
    return fill_holes(face_region(mask, face))


def refine_edges(
    probability: Probability, rgb: NDArray[np.uint8], settings: SubjectSettings
) -> Probability:
    """Draw a soft mask to the edges of its photo: the fast guided filter.

    (He and Sun, Fast Guided Filter, arXiv 1505.00996, with a colour guide.) The local linear model
    of probability on colour is fitted on a small copy and applied on a larger one.

    Args:
        probability: (H, W) float32 in [0, 1].
        rgb: (H, W, 3) uint8, the guide.
        settings: sizes of both copies, window and regularisation.

    Returns:
        (H, W) float32, about in [0, 1]: a linear model may overshoot a little.
    """
    height, width = probability.shape
    small = _size_within(width, height, settings.refine_fit_px)
    large = _size_within(width, height, settings.refine_apply_px)
    guide = shrink(rgb, *large)
    small_guide = np.asarray(shrink(guide, *small) / np.float32(255), np.float32)
    target = np.asarray(cv2.resize(probability, small, interpolation=cv2.INTER_AREA), np.float32)
    radius = max(1, round(settings.refine_radius * max(small)))
    slope, offset = _fit_linear_model(small_guide, target, radius, settings.refine_epsilon)
    weighted = cv2.multiply(cv2.resize(slope, large), guide, scale=1 / 255, dtype=cv2.CV_32F)
    refined = cv2.transform(weighted, np.ones((1, 3), np.float32))
    refined = cv2.add(refined, cv2.resize(offset, large))
    return np.asarray(cv2.resize(refined, (width, height)), np.float32)


def face_region(mask: Mask, face: Face) -> Mask:
    """The connected region (8-neighbours) that holds most of the face box; all if none does."""
    count, labels = cv2.connectedComponents(mask.view(np.uint8))
    if count <= 2:
        return mask
    rows, columns = face_window(face, mask.shape)
    votes = np.bincount(labels[rows, columns].ravel(), minlength=count)
    votes[0] = 0
    return labels == votes.argmax() if votes.any() else mask


def nearest_face_region(shape: tuple[int, ...], face: Face, rivals: Sequence[Face]) -> Mask:
    """The pixels nearer to `face` than to any rival, in units of each one's own face height.

    Distance downwards counts less, since a body hangs below its face.
    """
    own = _body_distance(shape, face)
    nearest = np.ones(shape, np.bool_)
    for rival in rivals:
        nearest &= own <= _body_distance(shape, rival)
    return nearest


def fill_holes(mask: Mask) -> Mask:
    """Close every background region that does not touch the left, top or right border.

    A region open to the bottom alone is clothing that the teacher missed between the shoulders,
    since a portrait's person leaves the crop through its lower border.
    """
    # A margin of background joins all that touches those borders: one flood finds it.
    flooded = np.pad(mask.view(np.uint8), ((1, 0), (1, 1)))
    cv2.floodFill(flooded, None, (0, 0), 2)
    return np.asarray(flooded[1:, 1:-1] != 2)


def _fit_linear_model(
    guide: NDArray[np.float32], target: Probability, radius: int, epsilon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least squares of target on colour in every window; slopes (H, W, 3), offsets (H, W)."""

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        window = (2 * radius + 1, 2 * radius + 1)
        averaged = cv2.boxFilter(values, -1, window, borderType=cv2.BORDER_REFLECT)
        return np.asarray(averaged, np.float32)

    mean_guide, mean_target = mean(guide), mean(target)
    r, g, b = np.moveaxis(guide, 2, 0)
    mr, mg, mb = np.moveaxis(mean_guide, 2, 0)
    # Covariance matrix of the colours, symmetric: only its upper triangle is needed.
    rr, rg, rb = mean(r * r) - mr * mr + epsilon, mean(r * g) - mr * mg, mean(r * b) - mr * mb
    gg, gb, bb = (
        mean(g * g) - mg * mg + epsilon,
        mean(g * b) - mg * mb,
        mean(b * b) - mb * mb + epsilon,
    )
    tr = mean(r * target) - mr * mean_target
    tg = mean(g * target) - mg * mean_target
    tb = mean(b * target) - mb * mean_target
    # Inverse by cofactors.
    c_rr, c_rg, c_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    slope = np.dstack(
        [
            (c_rr * tr + c_rg * tg + c_rb * tb) / determinant,
            (c_rg * tr + c_gg * tg + c_gb * tb) / determinant,
            (c_rb * tr + c_gb * tg + c_bb * tb) / determinant,
        ]
    )
    offset = mean_target - (slope * mean_guide).sum(axis=2)
    return mean(slope), mean(offset)


def _body_distance(shape: tuple[int, ...], face: Face) -> NDArray[np.float32]:
    x0, y0, x1, y1 = face.box
    size = max(1.0, y1 - y0)
    across = (np.arange(shape[1], dtype=np.float32) - np.float32((x0 + x1) / 2)) / np.float32(size)
    down = (np.arange(shape[0], dtype=np.float32) - np.float32((y0 + y1) / 2)) / np.float32(size)
    down = np.where(down > 0, down * np.float32(0.3), down)
    return np.asarray(np.hypot(down[:, None], across[None, :]), np.float32)


def _size_within(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
