"""Boxes with known answers."""

import math

import pytest

from pipelines.pictures.geometry import Box, Face, area, box_iou, intersection, portrait_box
from pipelines.workspace.settings import PortraitSettings


def face(x0: float, y0: float, x1: float, y1: float) -> Face:
    return Face((x0, y0, x1, y1), ((x0, y0),), 0.9)


@pytest.mark.parametrize(
    ("box", "image", "expected"),
    [
        # 100 high: 300 high and 225 wide, 80 above the face, centred on x = 500.
        ((460, 400, 540, 500), (1000, 1000), (388, 320, 613, 620)),
        # Cut off by each border of the image, and by all.
        ((10, 10, 90, 110), (1000, 1000), (0, 0, 163, 230)),
        ((910, 850, 990, 950), (1000, 1000), (838, 770, 1000, 1000)),
        ((10, 10, 90, 110), (100, 120), (0, 0, 100, 120)),
        # A face hardly in the image still gives a box within it.
        ((-400, -400, -300, -300), (50, 40), (0, 0, 1, 1)),
        ((400, 400, 500, 500), (50, 40), (49, 39, 50, 40)),
    ],
)
def test_portrait_box(box: Box, image: tuple[int, int], expected: Box) -> None:
    assert portrait_box(face(*box), *image, PortraitSettings()) == expected


def test_the_crop_follows_the_settings() -> None:
    settings = PortraitSettings(height_in_faces=2, aspect=1, headroom_in_faces=0)
    assert portrait_box(face(460, 400, 540, 500), 1000, 1000, settings) == (400, 400, 600, 600)


@pytest.mark.parametrize("noise", [-1e-4, 1e-4])
def test_float_noise_cannot_move_a_crop(noise: float) -> None:
    # A centre and size whose crop borders are whole numbers: rounding down would tip over.
    exact = portrait_box(face(460, 400, 540, 500), 1000, 1000, PortraitSettings(aspect=0.8))
    noisy = face(460 + noise, 400 + noise, 540 + noise, 500 + noise)
    assert portrait_box(noisy, 1000, 1000, PortraitSettings(aspect=0.8)) == exact


@pytest.mark.parametrize(
    ("a", "b", "common", "iou"),
    [
        ((0, 0, 2, 2), (1, 1, 3, 3), (1, 1, 2, 2), 1 / 7),
        ((0, 0, 4, 4), (1, 1, 3, 3), (1, 1, 3, 3), 4 / 16),
        ((0, 0, 2, 2), (2, 0, 4, 2), None, 0),  # the right border is exclusive
        ((0, 0, 0, 0), (0, 0, 0, 0), None, 0),
    ],
)
def test_overlap(a: Box, b: Box, common: Box | None, iou: float) -> None:
    assert intersection(a, b) == intersection(b, a) == common
    assert box_iou(a, b) == box_iou(b, a) == pytest.approx(iou)
    assert area(common) == pytest.approx(iou * (area(a) + area(b) - area(common)))


def test_a_shifted_face_moves_as_a_whole() -> None:
    moved = face(1, 2, 11, 22).shifted(-1, 8)
    assert moved == Face((0, 10, 10, 30), ((0, 10),), 0.9)
    assert math.isclose(moved.height, 20)
