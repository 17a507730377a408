"""Masks that are spoilt on purpose are bad, by how much was asked, and never by chance good."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.masks.spoiling import Damage, spoil


def portrait(height: int = 400, width: int = 300) -> NDArray[np.bool_]:
    """A head on shoulders, cut off by the lower edge."""
    drawn = np.zeros((height, width), np.uint8)
    cv2.circle(drawn, (width // 2, height // 3), width // 5, 1, -1)
    cv2.ellipse(drawn, (width // 2, height), (width // 3, height // 2), 0, 180, 360, 1, -1)
    return drawn > 0


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def test_every_damage_comes_up_and_is_as_bad_as_asked_for() -> None:
    good, chance = portrait(), np.random.default_rng(1)
    seen = set()
    for _ in range(60):
        spoilt = spoil(good, 0.70, 0.85, chance)
        assert spoilt is not None
        assert 0.70 <= spoilt.iou <= 0.85
        assert spoilt.iou == pytest.approx(iou(good, spoilt.mask))
        seen.add(spoilt.damage)
        takes = spoilt.damage in (Damage.CUT, Damage.HOLE, Damage.TIGHT)
        changed = (good & ~spoilt.mask) if takes else (spoilt.mask & ~good)
        assert np.array_equal(changed, good ^ spoilt.mask), "it takes or gives, never both"
    assert seen == set(Damage)


def test_a_hole_is_one_piece_inside_and_a_spill_begins_at_the_outline() -> None:
    good, chance = portrait(), np.random.default_rng(2)
    inside = cv2.distanceTransform(np.pad(good, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    done = set()
    while done < {Damage.HOLE, Damage.SPILL}:
        spoilt = spoil(good, 0.80, 0.85, chance)
        assert spoilt is not None
        changed = good ^ spoilt.mask
        if spoilt.damage is Damage.HOLE:
            assert inside[changed].max() >= 0.5 * inside.max()
        if spoilt.damage is Damage.SPILL:
            grown = cv2.dilate(good.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            assert (grown & changed).any()
        done.add(spoilt.damage)


def test_the_same_seed_spoils_alike() -> None:
    one, other = (spoil(portrait(), 0.7, 0.85, np.random.default_rng(5)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert np.array_equal(one.mask, other.mask)
    assert one.damage is other.damage


def test_what_cannot_be_spoilt_is_left_alone() -> None:
    chance = np.random.default_rng(0)
    assert spoil(np.zeros((40, 40), np.bool_), 0.7, 0.85, chance) is None
    single = np.zeros((40, 40), np.bool_)
    single[3, 3] = True
    assert spoil(single, 0.7, 0.85, chance) is None
    full = spoil(np.ones((40, 40), np.bool_), 0.7, 0.85, chance)
    assert full is not None, "there is no background to spill into, but there are holes"
    assert not full.mask.all()
