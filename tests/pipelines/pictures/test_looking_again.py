"""When photos are looked at again, and what counts then."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.pictures.detect import MtcnnDetector
from pipelines.pictures.geometry import Face, box_iou
from pipelines.pictures.looking_again import faces_of
from pipelines.pictures.rotation import rotated, rotated_face
from pipelines.workspace.settings import DetectorSettings

Image = npt.NDArray[np.uint8]
SETTINGS = DetectorSettings()
FACE = Face((10, 20, 30, 50), ((15, 30), (25, 30), (20, 38), (16, 44), (24, 44)), 0.5)


class Look:
    """Sees what is written into the corner that is the upper left one of each view."""

    def __init__(self, **confidences: float) -> None:
        self.confidences = confidences
        self.views: list[str] = []

    def __call__(self, picture: Image, *, strict: bool) -> list[Face]:
        view = {1: "upright", 2: "mirrored", 3: "180", 4: "90"}[int(picture[0, 0, 0])]
        if view == "mirrored" and picture.shape[0] > picture.shape[1]:
            view = "270"
        self.views.append(view)
        assert strict == view.isdigit()
        confidence = self.confidences.get(view)
        return [] if confidence is None else [replace(FACE, confidence=confidence)]


@pytest.fixture
def picture() -> Image:
    """100 × 60, its corners 1, 2, 3, 4 clockwise from the upper left."""
    drawn = np.zeros((60, 100, 3), np.uint8)
    drawn[0, 0], drawn[0, -1], drawn[-1, -1], drawn[-1, 0] = 1, 2, 3, 4
    return drawn


@pytest.mark.parametrize(
    ("confidences", "views", "rotation"),
    [
        ({"upright": 0.995}, ["upright"], 0),
        ({"upright": 0.9, "mirrored": 0.995}, ["upright", "mirrored"], 0),
        ({"90": 0.99}, ["upright", "90", "180", "270"], 90),
        ({"180": 0.98, "270": 0.99}, ["upright", "90", "180", "270"], 270),
        ({"upright": 0.9, "180": 0.98}, ["upright", "mirrored", "90", "180", "270"], 180),
        # Not much surer than the upright one.
        ({"upright": 0.97, "180": 0.98}, ["upright", "mirrored", "90", "180", "270"], 0),
        ({"270": 0.96}, ["upright", "90", "180", "270"], None),
        ({}, ["upright", "90", "180", "270"], None),
    ],
)
def test_views(
    picture: Image, confidences: dict[str, float], views: list[str], rotation: int | None
) -> None:
    look = Look(**confidences)
    faces = faces_of(picture, look, SETTINGS)
    assert look.views == views
    assert [face.rotation for face in faces] == ([] if rotation is None else [rotation])


def test_where_a_face_of_the_mirror_is(picture: Image) -> None:
    (face,) = faces_of(picture, Look(upright=0.8, mirrored=0.9), SETTINGS)
    assert face.box == (70, 20, 90, 50)
    assert face.landmarks[:2] == ((75, 30), (85, 30))  # the left one is the left one
    assert face.landmarks[3:] == ((76, 44), (84, 44))


def test_it_can_be_switched_off(picture: Image) -> None:
    look = Look(**{"upright": 0.5, "90": 1.0})
    (face,) = faces_of(picture, look, DetectorSettings(look_again=False))
    assert (face.confidence, look.views) == (0.5, ["upright"])


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("factor", [1, 3])
def test_the_face_of_a_real_photo_that_lies(astronaut: Image, rotation: int, factor: int) -> None:
    detector = MtcnnDetector(SETTINGS)
    image = np.repeat(np.repeat(astronaut, factor, 0), factor, 1)
    (upright,) = detector.detect([image])[0]
    (face,) = detector.detect([rotated(image, rotation)])[0]
    assert (rotation + face.rotation) % 360 == 0
    size = (image.shape[1], image.shape[0])
    back = rotated_face(face, size, face.rotation)
    assert box_iou(back.box, upright.box) > 0.85
    assert back.landmarks[0] == pytest.approx(upright.landmarks[0], abs=8 * factor)
