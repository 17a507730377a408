"""How sharp a part of a picture is, whatever its size and contrast."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE_PX = 128


def sharpness(rgb: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over the grey variance, at a fixed size; ≥ 0.

    Args:
        rgb: (H, W, 3) uint8, the face.

    Returns:
        About 0.01 for a blurred face and 0.1 and more for a sharp one; 0 for a flat patch. The
        grey variance in the denominator keeps dim or low-contrast photos from looking blurred.
    """
    interpolation = cv2.INTER_AREA if min(rgb.shape[:2]) > _SIDE_PX else cv2.INTER_LINEAR
    face = cv2.resize(rgb, (_SIDE_PX, _SIDE_PX), interpolation=interpolation)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    variance = float(grey.var())
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) / variance if variance > 1 else 0.0
