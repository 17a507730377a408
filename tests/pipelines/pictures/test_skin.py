"""Skin tone of drawn faces, whose colour is known."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.pictures.geometry import Face
from pipelines.pictures.skin import BANDS, band, band_limits, skin_tone

FACE = Face((40, 20, 160, 180), ((75, 80), (125, 80), (100, 110), (80, 140), (120, 140)), 0.99)
PERSON = np.ones((200, 200), np.bool_)


def rgb_of(lightness: float, red: float, yellow: float) -> npt.NDArray[np.uint8]:
    lab = np.array([[[lightness, red, yellow]]], np.float32)
    return np.asarray(np.rint(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0] * 255), np.uint8)


def drawn(lightness: float, red: float = 12, yellow: float = 18) -> npt.NDArray[np.uint8]:
    """A face all over the picture."""
    return np.full((200, 200, 3), rgb_of(lightness, red, yellow), np.uint8)


@pytest.mark.parametrize(
    ("lightness", "expected"),
    [(80, "very light"), (70, "light"), (62, "intermediate"), (56, "tan"), (46, "brown"),
     (32, "dark")],
)  # fmt: skip
def test_each_band(lightness: float, expected: str) -> None:
    ita = skin_tone(drawn(lightness), PERSON, FACE)
    assert ita == pytest.approx(np.degrees(np.arctan((lightness - 50) / 18)), abs=2)
    assert band(ita) == expected


def test_bands_meet_at_their_limits() -> None:
    assert [band(begin + 0.1) for _, begin in BANDS] == [name for name, _ in BANDS]
    assert [band(begin) for _, begin in BANDS[:-1]] == [name for name, _ in BANDS[1:]]
    limits = [band_limits(name) for name, _ in BANDS]
    assert limits[0] == (55, 90)
    assert limits[-1] == (-90, -30)
    assert [high for _, high in limits[1:]] == [low for low, _ in limits[:-1]]


def test_what_covers_a_face_does_not_count() -> None:
    """Dark glasses, lips, a beard, a hat, hair over one eye, a shaded side, gloss on the nose."""
    face = drawn(70)
    face[:65] = (120, 30, 30)  # a hat
    face[65:100, 55:145] = (12, 9, 8)  # glasses
    face[145:] = (40, 30, 25)  # a beard
    face[136:145, 80:120] = (190, 40, 60)  # lips
    face[:, :65] = (60, 40, 20)  # hair
    face[:, 135:] //= 3  # a shadow
    face[106:110, 97:103] = 255  # gloss
    assert skin_tone(face, PERSON, FACE) == pytest.approx(skin_tone(drawn(70), PERSON, FACE), abs=2)


def test_only_the_person_counts() -> None:
    face = drawn(40)
    face[:, 100:] = rgb_of(75, 12, 18)  # somebody else's, before the face
    person = PERSON.copy()
    person[:, 100:] = False
    ita = skin_tone(face, person, FACE)
    assert ita == pytest.approx(skin_tone(drawn(40), PERSON, FACE), abs=2)


def test_turned_faces_are_looked_at_where_they_are() -> None:
    around = np.full((200, 200, 3), (20, 60, 200), np.uint8)
    marks = np.array(FACE.landmarks)
    turn = cv2.getRotationMatrix2D((100, 100), 25, 1)
    moved = marks @ turn[:, :2].T + turn[:, 2]
    cv2.ellipse(around, (100, 100), (55, 75), -25, 0, 360, rgb_of(60, 12, 18).tolist(), -1)
    face = Face((20, 10, 180, 190), tuple((float(x), float(y)) for x, y in moved), 0.99)
    assert skin_tone(around, PERSON, face) == pytest.approx(np.degrees(np.arctan(10 / 18)), abs=2)


@pytest.mark.parametrize(
    "face",
    [drawn(60, 0, 0), drawn(60, 10, 3), np.full((200, 200, 3), 255, np.uint8)],
    ids=["grey", "next to no colour", "burnt out"],
)
def test_what_cannot_be_told_is_not(face: npt.NDArray[np.uint8]) -> None:
    assert skin_tone(face, PERSON, FACE) is None


def test_a_face_off_the_person_or_without_height_has_none() -> None:
    assert skin_tone(drawn(60), np.zeros_like(PERSON), FACE) is None
    assert skin_tone(drawn(60), PERSON, Face(FACE.box, ((100, 100),) * 5, 0.99)) is None
