"""Persons who stand smaller before a part of another picture, as in the street."""

import numpy as np
import pytest

from sinet.data import Augmentation, AugmentedSamples, Batches, Picture, PixelCache
from sinet.data.background import empty_part, stand_before


def rng():
    return np.random.default_rng(5)


def picture(rows, columns, value=200, soft=False):
    """160 × 120; the person is where these rows and columns of a grid of 40 × 30 are."""
    mask = np.zeros((40, 30), np.uint8)
    mask[rows, columns] = 1
    mask = mask.repeat(4, axis=0).repeat(4, axis=1)
    image = np.where(mask[..., None], value, 20).astype(np.uint8).repeat(3, axis=2)
    return Picture(image, mask, np.full_like(mask, 255) if soft else None)


STANDING = picture(slice(10, 40), slice(8, 22), soft=True)


def test_a_part_with_nobody_is_as_large_as_can_be():
    part = empty_part(STANDING, rng())
    assert part.max() == 20
    assert part.shape[0] * part.shape[1] >= 4 * 8 * 4 * 8
    nobody = picture(slice(0, 0), slice(0, 0))
    whole = empty_part(nobody, rng())
    assert whole.shape[0] * whole.shape[1] > 0.6 * 160 * 120


def test_where_a_person_fills_the_picture_there_is_no_such_part():
    assert empty_part(picture(slice(0, 40), slice(0, 30)), rng()) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_person_stands_smaller_at_the_lower_edge(seed):
    background = np.full((7, 9, 3), 90, np.uint8)
    found = stand_before(STANDING, background, np.random.default_rng(seed))
    assert found.shape == STANDING.shape
    assert 0.25 < found.mask.sum() / STANDING.mask.sum() < 0.95
    assert found.mask[-1].any()
    assert set(np.unique(found.mask)) == {0, 1}
    inside = found.mask.astype(bool)
    assert np.mean(found.image[inside] == 200) > 0.7
    assert (found.image[~inside] <= 200).all()
    assert np.mean(found.image[~inside] == 90) > 0.8
    assert (found.soft[:10] == 0).all(), "what the teacher saw there is gone"
    assert (found.soft[inside] > 0).all()


def test_somebody_out_of_focus_is_background():
    background = np.full((40, 30, 3), 90, np.uint8)
    passing = picture(slice(5, 40), slice(2, 28), value=250)
    alone = stand_before(STANDING, background, rng())
    together = stand_before(STANDING, background, rng(), passing)
    assert abs(int(together.mask.sum()) - int(alone.mask.sum())) < 0.7 * STANDING.mask.sum()
    behind = together.image[..., 0][together.mask == 0]
    assert (behind > 130).any(), "somebody is seen"
    assert together.soft[0].max() == 0


def test_without_it_the_numbers_of_a_run_stay(portraits):
    def images(how):
        samples = AugmentedSamples(PixelCache(portraits, 60), how, seed=1)
        return [batch.images for batch in Batches(samples, 3, seed=1, steps=6).epoch(0, 64)]

    plain, none, some = (
        images(Augmentation(**more))
        for more in ({}, {"street_probability": 0}, {"street_probability": 0.5})
    )
    assert all((a == b).all() for a, b in zip(plain, none, strict=True))
    changed = [
        bool((a[i] != b[i]).any()) for a, b in zip(plain, some, strict=True) for i in range(3)
    ]
    assert sum(changed) >= 4
