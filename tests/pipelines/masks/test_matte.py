"""Mattes: soft where nobody knows, and as the trusted mask has it everywhere else."""

import numpy as np
import pytest

from pipelines.masks.matte import matte

SIDE = 200  # a diagonal of 283: near is 1 pixel, far is 8


def half() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[:, SIDE // 2 :] = True
    return mask


def ramp(width: int) -> np.ndarray:
    """Rises from 0 to 1 within so many pixels around the middle."""
    row = np.clip((np.arange(SIDE) - SIDE / 2 + 0.5) / width + 0.5, 0, 1)
    return np.tile(row, (SIDE, 1)).astype(np.float32)


def columns(trimap: np.ndarray) -> tuple[int, int]:
    """First and last unknown column of the middle row."""
    unknown = np.flatnonzero(trimap[SIDE // 2] == 128)
    return int(unknown[0]), int(unknown[-1])


@pytest.mark.parametrize(
    ("width", "expected"),
    [(1, (99, 100)), (10, (96, 103)), (100, (92, 107))],  # sure; unsure; unsure beyond far
)
def test_the_band_is_as_wide_as_the_doubt(width: int, expected: tuple[int, int]) -> None:
    found = matte(half(), ramp(width))
    assert columns(found.trimap) == expected
    assert set(np.unique(found.trimap)) == {0, 128, 255}
    known = found.trimap != 128
    assert (found.alpha[known] == half()[known] * 255).all()
    assert (found.alpha[~known] == np.rint(ramp(width)[~known] * 255)).all()


def test_a_network_that_sees_somebody_else_is_not_believed_far_away() -> None:
    probability = ramp(1)
    probability[20:60, 10:40] = 0.9  # somebody in the background, whom the mask leaves out
    found = matte(half(), probability)
    assert (found.alpha[20:60, 10:40] == 0).all()
    assert (found.trimap[20:60, 10:40] == 0).all()


def test_a_mask_that_was_drawn_knows_nothing_of_its_edge() -> None:
    found = matte(half(), None)
    assert columns(found.trimap) == (92, 107)
    assert (found.alpha == half() * 255).all()


@pytest.mark.parametrize("value", [False, True])
def test_without_an_outline_all_is_known(value: bool) -> None:
    mask = np.full((40, 30), value)
    for probability in (None, np.full(mask.shape, 0.5, np.float32)):
        found = matte(mask, probability)
        assert (found.alpha == value * 255).all()
        assert (found.trimap == value * 255).all()
