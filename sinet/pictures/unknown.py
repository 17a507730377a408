"""What a mask leaves open: void of PASCAL VOC and the like, the grey of a trimap.

Whoever draws outlines leaves a thin rim between two classes open, and it does not matter whose it
is: here it is nobody's. A wide area is something that its maker could not or would not judge; to
count it as background would teach that nobody is there.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

# VOC's rims are 5 pixels wide on pictures of 500, and wider where three classes meet.
_RIM_SHARE: Final = 0.022
_RIM_PX: Final = 9
# Of a picture; less is a corner where rims meet.
_SOME: Final = 0.005


def is_wide(unknown: Mask | None, longest: int | None = None) -> bool:
    """Whether more than rims was left open.

    Args:
        unknown: (H, W), a mask's or a part of it; None: nothing was left open.
        longest: side of the whole mask in pixels; None: `unknown` is the whole.
    """
    if unknown is None or not unknown.any():
        return False
    side = max(_RIM_PX, round(_RIM_SHARE * (longest or max(unknown.shape))) | 1)
    open_areas = cv2.morphologyEx(
        np.ascontiguousarray(unknown).view(np.uint8),
        cv2.MORPH_OPEN,
        np.ones((side, side), np.uint8),
        borderType=cv2.BORDER_REPLICATE,
    )
    return float(open_areas.mean()) > _SOME
