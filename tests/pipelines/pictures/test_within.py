"""Pictures within a photo, made of portraits of the reference data in many ways."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.pictures.decode import decode, encode_jpeg
from pipelines.pictures.detect import MtcnnDetector
from pipelines.pictures.geometry import Face
from pipelines.pictures.within import Within, look_within
from pipelines.workspace.settings import DetectorSettings

Image = npt.NDArray[np.uint8]
Look = Callable[[Image], Within]


@pytest.fixture(scope="module")
def look() -> Look:
    """What is seen in a picture after a JPEG encoder has had it; two faces or more."""
    detector = MtcnnDetector(DetectorSettings())

    def call(picture: Image) -> Within:
        saved = decode(encode_jpeg(picture, 80), max_pixels=10**8).rgb
        faces = [face for face in detector.detect([saved])[0] if face.confidence > 0.9]
        assert faces
        return look_within(saved, faces)

    return call


@pytest.fixture(scope="module")
def people(shared: Path) -> list[Image]:
    files = sorted((shared / "data/crawl/flickr").glob("*.jpg"))[10:50:10]
    return [of_height(decode(file.read_bytes(), max_pixels=10**8).rgb, 500) for file in files]


def of_height(picture: Image, height: int) -> Image:
    width = round(picture.shape[1] * height / picture.shape[0])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def beside(*pictures: Image, gap: int = 0, colour: int = 255) -> Image:
    between = np.full((pictures[0].shape[0], gap, 3), colour, np.uint8)
    parts = [part for picture in pictures for part in (picture, between)]
    return np.hstack(parts[:-1])


@pytest.mark.parametrize(("gap", "colour"), [(0, 0), (5, 255), (12, 0)])
def test_before_and_after(look: Look, people: list[Image], gap: int, colour: int) -> None:
    for one, other in pairwise(people):
        assert look(beside(one, other, gap=gap, colour=colour)).split


def test_one_above_the_other(look: Look, people: list[Image]) -> None:
    width = min(picture.shape[1] for picture in people)
    assert look(np.vstack([picture[:, :width] for picture in people[:2]])).split


def test_a_sheet_of_one_portrait(look: Look, people: list[Image]) -> None:
    row = beside(*[of_height(people[0], 260)] * 3, gap=8)
    found = look(np.vstack([row, row[:, ::-1]]))  # some shops print every other one mirrored
    assert len(found.repeated) == 6
    assert all(found.repeated)


def test_different_people_are_not_the_same(look: Look, people: list[Image]) -> None:
    assert not any(look(beside(*people[:3])).repeated)


def on_a_wall(picture: Image, tilt: float) -> Image:
    """Hung on a wall of uneven light."""
    light = np.linspace(200, 150, 1000)[None, :] + np.linspace(0, 25, 800)[:, None]
    wall = np.repeat(light[..., None], 3, 2).astype(np.uint8)
    height, width = picture.shape[:2]
    move = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1)
    move[:, 2] += (250, 150)
    hung = cv2.warpAffine(picture, move, (1000, 800))
    there = cv2.warpAffine(np.ones((height, width), np.float32), move, (1000, 800))
    return np.where(there[..., None] > 0.5, hung, wall).astype(np.uint8)


@pytest.mark.parametrize("tilt", [0, 3])
@pytest.mark.parametrize("mat", [0, 25])
def test_a_framed_picture(look: Look, people: list[Image], tilt: float, mat: int) -> None:
    picture = of_height(people[1], 320)
    if mat:
        picture = cv2.copyMakeBorder(
            picture, mat, mat, mat, mat, cv2.BORDER_CONSTANT, value=(245, 245, 240)
        )
    framed = cv2.copyMakeBorder(picture, 9, 9, 9, 9, cv2.BORDER_CONSTANT, value=(60, 35, 20))
    assert any(look(on_a_wall(framed, tilt)).framed)


def test_a_border_around_the_whole_photo_is_no_frame(look: Look, people: list[Image]) -> None:
    bordered = cv2.copyMakeBorder(
        people[1], 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )
    assert not any(look(bordered).framed)


def test_plain_photos(look: Look, people: list[Image]) -> None:
    for picture in people:
        found = look(picture)
        assert (any(found.framed), any(found.repeated), found.split) == (False, False, False)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64)])
def test_faces_at_the_edges_of_tiny_pictures(size: tuple[int, int]) -> None:
    marks = ((0.0, 0.0),) * 5
    faces = [Face((-30, -30, 40, 60), marks, 0.99), Face((size[1] - 2, 0, 90, 80), marks, 0.99)]
    found = look_within(np.zeros((*size, 3), np.uint8), faces)
    assert len(found.framed) == 2
