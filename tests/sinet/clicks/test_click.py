"""Clicks, boxes, and how a network reads them."""

import math

import numpy as np
import pytest

from sinet.clicks.click import RADIUS, Box, Click, click_maps


@pytest.mark.parametrize("place", [(-0.1, 0.5), (0.5, 1.1), (math.nan, 0.5), (0.5, math.inf)])
def test_a_click_is_in_the_picture(place: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="outside"):
        Click(x=place[0], y=place[1], positive=True)


@pytest.mark.parametrize(
    ("place", "pixel"), [((0, 0), (0, 0)), ((1, 1), (9, 19)), ((0.51, 0.99), (9, 10))]
)
def test_the_pixel_of_a_click(place: tuple[float, float], pixel: tuple[int, int]) -> None:
    assert Click(x=place[0], y=place[1], positive=True).pixel((10, 20)) == pixel


def test_clicks_are_discs_on_the_map_of_their_kind() -> None:
    side = 192
    clicks = [Click(x=0.25, y=0.5, positive=True), Click(x=0.75, y=0.25, positive=False)]
    maps = click_maps(clicks, side)
    assert maps.shape == (2, side, side)
    assert set(np.unique(maps)) == {0, 1}
    for kind, click in zip(maps, clicks, strict=True):
        rows, columns = np.nonzero(kind)
        assert rows.mean() == pytest.approx(click.y * side - 0.5, abs=0.5)
        assert columns.mean() == pytest.approx(click.x * side - 0.5, abs=0.5)
        assert len(rows) == pytest.approx(math.pi * (RADIUS * side) ** 2, rel=0.35)


def test_a_click_at_the_edge_is_half_a_disc() -> None:
    inside, edge = (click_maps([Click(x=x, y=0.5, positive=True)], 192).sum() for x in (0.5, 0.0))
    assert 0.3 * inside < edge < 0.7 * inside


@pytest.mark.parametrize(
    "sides", [(0, 0, 0, 1), (0.5, 0, 0.6, 1), (0, 0, 1, math.nan), (-0.1, 0, 0.5, 0.5)]
)
def test_a_box_is_in_the_picture_and_not_empty(sides: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="box"):
        Box(x=sides[0], y=sides[1], width=sides[2], height=sides[3])


def test_the_pixels_of_a_box() -> None:
    covers = Box(x=0.1, y=0.25, width=0.5, height=0.5).covers((8, 10))
    expected = np.zeros((8, 10), np.bool_)
    expected[2:6, 1:6] = True
    assert np.array_equal(covers, expected)
    assert Box(x=0, y=0, width=1, height=1).covers((3, 5)).all()
