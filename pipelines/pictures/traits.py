"""What a portrait is like, whatever its masks: what slices are cut by. Pure functions."""

import math
from dataclasses import dataclass
from typing import Final

from pipelines.pictures.geometry import Face

TITLES: Final = {
    "face_px": ("face height", " px", 0),
    "brightness": ("brightness", "", 0),
    "sharpness": ("sharpness", "", 3),
    "turn": ("head turn", "", 2),
    "tilt": ("head tilt", "°", 0),
    "off_centre": ("off centre", "", 2),
}
"""By trait, in the order they are shown in: what it is called, its unit, its decimals."""

BRIGHTNESS: Final = "brightness"
SHARPNESS: Final = "sharpness"
SHORT_SIDE: Final = "short_side"
SITE: Final = "site"
"""Names of the traits that a photo without a face has, too."""
FACE: Final = "face"
"""Name of what every other trait but brightness needs: whether one was found."""
SKIN_TONE: Final = "skin_tone"
"""Name of the trait of `pipelines.pictures.skin`."""
MOST_ITA: Final = 90.0
"""Degrees between which and its negative every ITA lies."""
_OTHER_TITLES: Final = {FACE: "face", SKIN_TONE: "skin tone (ITA)", SITE: "site"}
_NUMBERS: Final = {**TITLES, SHORT_SIDE: ("shorter side", " px", 0)}


@dataclass(frozen=True)
class Traits:
    """What a portrait is like.

    Attributes:
        face_px: height of the face box, in pixels of the photo.
        brightness: mean grey of the crop, in [0, 255].
        sharpness: of the face, see `pipelines.pictures.sharpness`; low is blurred.
        turn: how far the head is turned to a side: 0 looks at the camera, 1 is a profile; see
            `head_turn`.
        tilt: angle of the line through the eyes, in degrees: 0 is level, at most 180.
        off_centre: distance of the face's centre from the photo's, as a share of half its diagonal.
    """

    face_px: float
    brightness: float
    sharpness: float
    turn: float
    tilt: float
    off_centre: float


def traits(face: Face, photo_size: tuple[int, int], brightness: float, sharpness: float) -> Traits:
    """All traits of a portrait.

    Args:
        face: in pixels of the photo.
        photo_size: width and height of the upright photo, in pixels.
        brightness: mean grey of the crop, in [0, 255].
        sharpness: of the face.
    """
    x0, y0, x1, y1 = face.box
    width, height = photo_size
    away = math.hypot((x0 + x1) / 2 - width / 2, (y0 + y1) / 2 - height / 2)
    return Traits(
        face_px=face.height,
        brightness=brightness,
        sharpness=sharpness,
        turn=head_turn(face),
        tilt=head_tilt(face),
        off_centre=away / (math.hypot(width, height) / 2),
    )


def trait_title(trait: str) -> str:
    """What a trait is called; one that somebody named has that name."""
    return _NUMBERS[trait][0] if trait in _NUMBERS else _OTHER_TITLES.get(trait, trait)


def described(trait: str, low: float, high: float) -> str:
    """A range of a trait for people: `face height 64 to 118 px`."""
    return f"{trait_title(trait)} {interval(trait, low, high)}"


def interval(trait: str, low: float, high: float) -> str:
    """The range alone, with its unit: `64 to 118 px`."""
    if trait not in _NUMBERS:
        return f"{low:g} to {high:g}"
    _, unit, digits = _NUMBERS[trait]
    return f"{low:.{digits}f} to {high:.{digits}f}{unit}"


def skin_range(low: float, high: float) -> str:
    """A band of skin tones: `41 to 55°`, `above 55°`."""
    if high >= MOST_ITA:
        return f"above {low:.0f}°"
    return f"below {high:.0f}°" if low <= -MOST_ITA else f"{low:.0f} to {high:.0f}°"


def head_turn(face: Face) -> float:
    """How far the nose stands beside the middle of the eyes, in distances of the eyes.

    It grows with the angle to the side but is no angle: five landmarks do not tell how deep a face
    is. In a profile the eyes meet; at most 1.

    Args:
        face: with its five landmarks.
    """
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y) = face.landmarks[:3]
    along = (right_x - left_x, right_y - left_y)
    apart = along[0] ** 2 + along[1] ** 2
    if apart == 0:
        return 1.0
    beside = (nose_x - (left_x + right_x) / 2) * along[0] + (
        nose_y - (left_y + right_y) / 2
    ) * along[1]
    return min(1.0, abs(beside) / apart)


def head_tilt(face: Face) -> float:
    """Angle between the line through the eyes and the horizontal, in degrees, in [0, 180]."""
    (left_x, left_y), (right_x, right_y) = face.landmarks[:2]
    return abs(math.degrees(math.atan2(right_y - left_y, right_x - left_x)))
