"""How light skin looks in a photo: the individual typology angle (ITA), and its six bands.

ITA = arctan((L* − 50) / b*) in CIELAB (D65), by the median L* and b* of the skin (Chardon et al.
1991). It was made for a colorimeter on clean skin: in a photo it is the skin's colour *in that
light*. A warm lamp, a sunset, a shadow or a camera's white balance moves it by a band or two, so it
tells how networks do on what looks light or dark, and nothing about a person.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.geometry import Face, face_window
from pipelines.pictures.traits import MOST_ITA

BANDS: Final = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -MOST_ITA),
)
"""Names, from light to dark, and the ITA in degrees above which each begins (Del Bino et al.)."""

# In heights between eyes and mouth: how far below the eyes a cheek lies, and its half axes; radius
# of the tip of the nose. Half of the cheek stays free below most glasses and above most beards.
_BELOW_EYES, _HALF_WIDTH, _HALF_HEIGHT = 0.6, 0.22, 0.25
_NOSE = 0.15
_SIDE_PX = 128
_LEAST_PX = 20
# Skin of any colour is reddish and yellowish; what is neither is hair, cloth, or a grey photo.
_LEAST_A, _LEAST_B = 1.0, 2.0
_LEAST_YELLOW = 5.0
_LEAST_SKIN = 0.3
_CLIPPED = 254
_LIT = (0.5, 0.9)


def skin_tone(rgb: NDArray[np.uint8], person: NDArray[np.bool_], face: Face) -> float | None:
    """ITA of a face's skin where the light falls on it, in degrees.

    Looked at are the two cheeks, an ellipse below each eye, and the tip of the nose, as the
    landmarks have them, within the face box and the person's mask. Eyes, brows, lips, chin,
    moustache and forehead (hair, hats) lie outside. Pixels that are burnt out, or neither reddish
    nor yellowish, are left out. Of the others those count whose L* lies between the median and the
    upper tenth: below are the shaded side, dark lenses, beard and strands of hair, which rarely
    cover more than half, above is gloss. The medians of their L* and b* make the angle.

    Args:
        rgb: (H, W, 3) uint8, sRGB.
        person: (H, W) bool.
        face: standing upright in it, with its five landmarks.

    Returns:
        In (-90, 90); None where fewer than 20 pixels or 30 % of the region are skin (on a copy
        of at most 128 pixels a side), or where the photo has next to no colour (b* below 5).
    """
    part, seen, marks = _upright_face(rgb, person, face)
    lab = cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    looked_at = _cheeks_and_nose(marks, seen.shape) & seen
    is_skin = (lab[..., 1] >= _LEAST_A) & (lab[..., 2] >= _LEAST_B) & (part.max(2) < _CLIPPED)
    skin = lab[looked_at & is_skin]
    if len(skin) < max(_LEAST_PX, _LEAST_SKIN * np.count_nonzero(looked_at)):
        return None
    low, high = np.quantile(skin[:, 0], _LIT)
    lightness, _, yellow = np.median(skin[(skin[:, 0] >= low) & (skin[:, 0] <= high)], axis=0)
    if yellow < _LEAST_YELLOW:
        return None
    return math.degrees(math.atan((float(lightness) - 50) / float(yellow)))


def band(ita: float) -> str:
    """The band of an ITA in degrees: `very light`, …, `dark`."""
    return next((name for name, begin in BANDS if ita > begin), BANDS[-1][0])


def band_limits(name: str) -> tuple[float, float]:
    """ITA from which a band begins and at which it ends, in degrees."""
    begins = dict(BANDS)
    lighter = [begin for begin in begins.values() if begin > begins[name]]
    return begins[name], min(lighter, default=MOST_ITA)


def _upright_face(
    rgb: NDArray[np.uint8], person: NDArray[np.bool_], face: Face
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float64]]:
    """The face box's part of picture and mask, at most 128 pixels a side, and its landmarks."""
    rows, columns = face_window(face, person.shape)
    height, width = person[rows, columns].shape
    scale = min(1.0, _SIDE_PX / max(height, width))
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    part = cv2.resize(rgb[rows, columns], size, interpolation=cv2.INTER_AREA)
    seen = cv2.resize(person[rows, columns].view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    marks = (np.array(face.landmarks, np.float64) - (columns.start, rows.start)) * scale
    return np.asarray(part, np.uint8), seen.astype(np.bool_), marks


def _cheeks_and_nose(marks: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where they are, (H, W); nowhere where eyes and mouth meet."""
    eyes, nose, mouth = marks[:2], marks[2], marks[3:]
    found = np.zeros(shape, np.bool_)
    down = mouth.mean(0) - eyes.mean(0)
    height = float(np.hypot(*down))
    if height == 0:
        return found
    down /= height
    across = np.array([down[1], -down[0]])
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    areas = [(nose, _NOSE, _NOSE)]
    for eye, corner in zip(eyes, mouth, strict=True):
        beside = float((eye + corner - eyes.mean(0) - mouth.mean(0)) @ across) / 2
        middle = eyes.mean(0) + beside * across + _BELOW_EYES * height * down
        areas.append((middle, _HALF_WIDTH, _HALF_HEIGHT))
    for middle, half_width, half_height in areas:
        x, y = columns - middle[0], rows - middle[1]
        along = (x * across[0] + y * across[1]) / (half_width * height)
        below = (x * down[0] + y * down[1]) / (half_height * height)
        found |= along**2 + below**2 <= 1
    return found
