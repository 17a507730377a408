"""A mask with a soft edge: what is the person for certain, what is not, and what nobody knows."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines.masks.boundary import outline_band
from pipelines.masks.subject import Mask, Probability
from sinet.files.mattes import UNKNOWN

PERSON: Final = 255
BACKGROUND: Final = 0
_NEAR: Final = 0.005
_FAR: Final = 0.03
_SURE: Final = 0.95


@dataclass(frozen=True)
class Matte:
    """Of one portrait, (H, W) uint8 both.

    Attributes:
        alpha: share of the person in a pixel × 255; 0 and 255 where the trimap knows.
        trimap: 255 the person, 0 the background, 128 unknown.
    """

    alpha: npt.NDArray[np.uint8]
    trimap: npt.NDArray[np.uint8]


def matte(mask: Mask, probability: Probability | None) -> Matte:
    """Soften a mask along its outline.

    Unknown is whatever lies within 0.5 % of the diagonal of the outline, and up to 3 % away from it
    what the network is less than 95 % sure of, or sees otherwise than the mask. There alpha is the
    probability. Everywhere else it is the mask, whatever the network says: it has been trusted.

    Args:
        mask: (H, W) bool.
        probability: (H, W) float32 in [0, 1] that the mask was made from; None: nobody has one, as
            of a mask that was drawn: all within 3 % is unknown, and alpha is the mask.
    """
    diagonal = math.hypot(*mask.shape)
    near, far = (outline_band(mask, max(1, round(part * diagonal))) for part in (_NEAR, _FAR))
    hard = np.where(mask, np.uint8(PERSON), np.uint8(BACKGROUND))
    if probability is None:
        unknown, soft = far, hard
    else:
        agreed = np.where(mask, probability, 1 - probability)
        unknown = near | (far & (agreed < _SURE))
        soft = np.asarray(np.rint(probability * 255), np.uint8)
    return Matte(
        alpha=np.where(unknown, soft, hard), trimap=np.where(unknown, np.uint8(UNKNOWN), hard)
    )
