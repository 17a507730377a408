"""Quarter turns of pixels, points and boxes agree with each other, and lead back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pictures.geometry import Face
from pipelines.pictures.rotation import (
    Crop,
    crop_around,
    rotated,
    rotated_face,
    rotated_point,
    rotated_size,
)

ROTATIONS = (0, 90, 180, 270)


def test_clockwise_is_as_people_say() -> None:
    picture = np.array([[1, 2, 3], [4, 5, 6]])
    assert rotated(picture, 90).tolist() == [[4, 1], [5, 2], [6, 3]]
    assert rotated(picture, 270).tolist() == [[3, 6], [2, 5], [1, 4]]
    assert rotated(picture, 180).tolist() == [[6, 5, 4], [3, 2, 1]]
    assert rotated_size((3, 2), 90) == (2, 3)


@given(
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    rotation=st.sampled_from(ROTATIONS),
    data=st.data(),
)
def test_a_crop_knows_every_pixel_of_its_photo(
    size: tuple[int, int], rotation: int, data: st.DataObject
) -> None:
    width, height = size
    photo = np.arange(width * height).reshape(height, width)
    x0 = data.draw(st.integers(0, width - 2))
    y0 = data.draw(st.integers(0, height - 2))
    x1 = data.draw(st.integers(x0 + 1, width))
    y1 = data.draw(st.integers(y0 + 1, height))
    crop = Crop((x0, y0, x1, y1), rotation)
    portrait = crop.cut(photo)
    assert portrait.shape == crop.size[::-1]
    for (row, column), value in np.ndenumerate(portrait):
        x, y = crop.pixel_in_photo(column, row)
        assert photo[y, x] == value
        assert crop.pixel_of_photo(x, y) == (column, row)
    assert crop.pixel_of_photo(x1, y0) is None


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_crop_chosen_in_the_rotated_photo_is_cut_from_the_photo(rotation: int) -> None:
    photo = np.arange(70 * 50).reshape(50, 70)
    box = (5, 8, 31, 44)
    crop = crop_around(box, (70, 50), rotation)
    np.testing.assert_array_equal(crop.cut(photo), rotated(photo, rotation)[8:44, 5:31])


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_face_is_upright_in_its_crop_and_back_in_the_photo(rotation: int) -> None:
    upright = Face((10, 20, 30, 50), ((15, 30), (25, 30), (20, 38), (16, 44), (24, 44)), 0.9)
    size = (60, 80)  # of the photo as people see it
    in_photo = rotated_face(upright, size, -rotation % 360)
    assert in_photo.rotation == rotation
    assert in_photo.height == upright.height
    crop = crop_around((4, 6, 40, 70), rotated_size(size, rotation), rotation)
    seen = crop.face(in_photo)
    assert seen == upright.shifted(-4, -6)
    assert crop.box_in_photo(seen.box) == in_photo.box


def test_points_go_round_in_four() -> None:
    point, size = (2.5, 7.0), (20, 30)
    for _ in range(4):
        point, size = rotated_point(point, size, 90), rotated_size(size, 90)
    assert point == (2.5, 7.0)
