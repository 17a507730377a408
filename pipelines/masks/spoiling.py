"""Masks spoilt on purpose, the way networks spoil them: to see whether reviewers notice.

Each damage is an order of the pixels in which it would take them (or give them) until the mask's
IoU with the good one is what was asked for; so every damage reaches any IoU exactly, and none looks
drawn with a ruler.
"""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.masks.subject import Mask

_GRID = 7
"""Knots a side of the smooth noise that makes outlines uneven."""


class Damage(StrEnum):
    """What is wrong with a spoilt mask."""

    CUT = "cut"  # a piece at the outline is missing: hair, a shoulder
    HOLE = "hole"  # a piece inside is missing
    SPILL = "spill"  # something of the background is in the mask
    LOOSE = "loose"  # the outline is too far out
    TIGHT = "tight"  # the outline is too far in


@dataclass(frozen=True)
class Spoilt:
    """A bad mask.

    Attributes:
        mask: (H, W) bool.
        damage: what was done to it.
        iou: with the good mask, in (0, 1).
    """

    mask: Mask
    damage: Damage
    iou: float


def spoil(mask: Mask, low: float, high: float, chance: np.random.Generator) -> Spoilt | None:
    """Spoil a mask so that its IoU with the good one is between two limits.

    Args:
        mask: (H, W) bool, good.
        low: IoU, in (0, 1).
        high: IoU, in (low, 1).
        chance: chooses the damage, the place and the IoU.

    Returns:
        None for a mask that is too small, or leaves too little background, for any damage.
    """
    target = chance.uniform(low, high)
    for damage in chance.permutation(np.array(list(Damage))):
        spoilt = _spoil_as(mask, Damage(damage), target, chance)
        if spoilt is not None:
            union = np.count_nonzero(mask | spoilt)
            iou = np.count_nonzero(mask & spoilt) / union
            if low <= iou <= high:
                return Spoilt(spoilt, Damage(damage), iou)
    return None


def _spoil_as(
    mask: Mask, damage: Damage, target: float, chance: np.random.Generator
) -> Mask | None:
    area = np.count_nonzero(mask)
    takes = damage in (Damage.CUT, Damage.HOLE, Damage.TIGHT)
    number = round(area * (1 - target if takes else 1 / target - 1))
    touched = mask if takes else ~mask
    if number == 0 or number >= np.count_nonzero(touched):
        return None
    order = _order(mask, damage, chance)[touched]
    first = np.argpartition(order, number)[:number]
    where = np.flatnonzero(touched)[first]
    spoilt = mask.copy()
    spoilt.flat[where] = not takes
    return spoilt


def _order(mask: Mask, damage: Damage, chance: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) float32: pixels with low values are damaged first."""
    noise = _smooth_noise(mask.shape, chance)
    if damage in (Damage.LOOSE, Damage.TIGHT):
        side = mask if damage is Damage.TIGHT else ~mask
        away = cv2.distanceTransform(side.view(np.uint8), cv2.DIST_L2, 5)
        return np.asarray(away * (1 + 0.6 * noise), np.float32)
    row, column = _place(mask, damage, chance)
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    angle, flat = chance.uniform(0, np.pi), chance.uniform(0.4, 1.0)
    down, across = rows - row, columns - column
    along = (across * np.cos(angle) + down * np.sin(angle)) * flat
    upright = down * np.cos(angle) - across * np.sin(angle)
    return np.asarray(np.hypot(along, upright) * (1 + 0.35 * noise), np.float32)


def _place(mask: Mask, damage: Damage, chance: np.random.Generator) -> tuple[int, int]:
    """Where a piece is taken or given: on the outline, a hole deep inside."""
    inside = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 5)
    near = mask & (inside < 2)
    if damage is Damage.HOLE:
        # Away from the picture's edges, too: there a hole would be a cut.
        framed = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        inside = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
        near = inside >= 0.5 * inside.max()
    # A mask that fills its picture has no outline: then anywhere.
    candidates = np.flatnonzero(near if near.any() else mask)
    row, column = np.unravel_index(chance.choice(candidates), mask.shape)
    return int(row), int(column)


def _smooth_noise(shape: tuple[int, ...], chance: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) float32 in [-1, 1], without detail."""
    knots = chance.uniform(-1, 1, (_GRID, _GRID)).astype(np.float32)
    grown = cv2.resize(knots, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(grown, -1, 1), np.float32)
