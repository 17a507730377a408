"""The eight EXIF orientations: what the tag says, and how stored pixels are turned upright."""

from typing import Any, Final, TypeVar

import cv2
import numpy as np
from PIL import Image

ORIENTATION_TAG: Final = 0x0112
UPRIGHT: Final = 1
IN_WORDS: Final = {
    1: "as it is",
    2: "mirrored",
    3: "turned upside down",
    4: "flipped top to bottom",
    5: "mirrored along the diagonal",
    6: "turned right by 90°",
    7: "mirrored along the other diagonal",
    8: "turned left by 90°",
}
_T = TypeVar("_T", bound=np.generic)


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation still to be applied (1 to 8), 1 if absent or invalid.

    Ask after loading: PNG may hold EXIF behind the pixels, and Pillow's TIFF plugin has
    then turned the pixels and dropped the tag itself.
    """
    try:
        value = image.getexif().get(ORIENTATION_TAG, UPRIGHT)
    except Exception:  # EXIF of a crawl is broken in every way; the pixels are still good
        return UPRIGHT
    return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT


def turned(pixels: np.ndarray[Any, np.dtype[_T]], orientation: int) -> Any:
    """Turn stored pixels, uint8 or bool (H, W, …), upright.

    Args:
        pixels: as the camera's sensor saw them.
        orientation: 1 to 8, as EXIF numbers them.
    """
    if orientation == UPRIGHT:
        return pixels
    plain = pixels.view(np.uint8)
    if orientation in (2, 3, 4):
        result = cv2.flip(plain, {2: 1, 3: -1, 4: 0}[orientation])
    else:
        # A transposition, and what is still missing from it.
        result = cv2.transpose(plain)
        if orientation != 5:
            result = cv2.flip(result, {6: 1, 7: -1, 8: 0}[orientation])
    return np.asarray(result).view(pixels.dtype)
