"""Where somebody would click who sees what is wrong."""

import numpy as np
import pytest

from sinet.clicks.simulating import Mask, next_click


def disc(row: int, column: int, radius: int) -> Mask:
    rows, columns = np.ogrid[:60, :80]
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)


def test_nothing_is_wrong() -> None:
    assert next_click(disc(30, 40, 20), disc(30, 40, 20)) is None


def test_the_middle_of_what_is_missing() -> None:
    click = next_click(np.zeros((60, 80), np.bool_), disc(30, 40, 20))
    assert click is not None
    assert click.positive
    assert click.pixel((60, 80)) == (30, 40)


def test_the_larger_of_two_errors_is_clicked_first() -> None:
    truth = disc(30, 20, 10)
    click = next_click(disc(30, 60, 12) | (truth & ~disc(30, 20, 4)), truth)
    assert click is not None
    assert not click.positive
    assert click.pixel((60, 80)) == (30, 60)


def test_the_edge_of_the_picture_is_an_edge() -> None:
    click = next_click(np.zeros((60, 80), np.bool_), np.ones((60, 80), np.bool_))
    assert click is not None
    row, column = click.pixel((60, 80))
    assert row in (29, 30)
    assert 25 <= column <= 55


def test_small_errors_may_be_passed_over() -> None:
    assert next_click(np.zeros((60, 80), np.bool_), disc(30, 40, 2), least=4) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_drawn_place_is_inside_of_the_error(seed: int) -> None:
    truth = disc(30, 40, 20)
    click = next_click(np.zeros((60, 80), np.bool_), truth, np.random.default_rng(seed))
    assert click is not None
    row, column = click.pixel((60, 80))
    assert disc(30, 40, 11)[row, column]
