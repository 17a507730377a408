"""Means of slices, and how sure the worst of them is."""

import numpy as np
import pytest

from sinet.metrics import slice_means

IMAGES = 120


def thirds(rng: np.random.Generator, traits: int) -> np.ndarray:
    """Slices as they come: every trait parts all images in three."""
    members = np.zeros((3 * traits, IMAGES), np.bool_)
    for trait in range(traits):
        order = rng.permutation(IMAGES)
        for part in range(3):
            members[3 * trait + part, order[part::3]] = True
    return members


def test_means_by_hand() -> None:
    scores = [0.9, 0.8, 0.4, 0.2]
    members = [[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    found = slice_means(scores, members, least=2)
    assert found.means[:3] == pytest.approx([0.85, 0.3, 0.2])
    assert np.isnan(found.means[3])
    assert np.isnan(found.intervals[3]).all()
    assert found.worst == 1, "one image cannot be the worst slice"
    assert found.lowest is not None
    assert found.below is not None
    assert found.lowest.difference == pytest.approx(0.3)
    assert found.below.difference == pytest.approx(0.575 - 0.3)
    assert found.lowest.low <= 0.3 <= found.lowest.high
    assert found.below.low <= found.below.difference <= found.below.high


def test_without_a_slice_that_is_large_enough_none_is_the_worst() -> None:
    found = slice_means([0.5, 0.6], [[1, 0]], least=2)
    assert (found.worst, found.lowest, found.below) == (None, None, None)


def test_the_same_twice_and_wrong_shapes() -> None:
    scores, members = np.linspace(0, 1, IMAGES), thirds(np.random.default_rng(0), 2)
    once, again = (slice_means(scores, members, least=20, draws=200) for _ in range(2))
    assert (once.lowest, once.below) == (again.lowest, again.below)
    for wrong in ([[1, 0]], [1] * IMAGES):
        with pytest.raises(ValueError, match="do not fit"):
            slice_means(scores, wrong, least=1)


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.06])
def test_the_worst_of_many_is_covered_whether_or_not_it_is_worse(gap: float) -> None:
    """The lowest true mean lies in the interval; that there is a gap is not said without one."""
    rng = np.random.default_rng(3)
    tries, held, claimed = 100, 0, 0
    for seed in range(tries):
        members = thirds(rng, 7)
        scores = 0.9 - np.minimum(0.9, rng.exponential(0.05, IMAGES)) - gap * members[0]
        share = (members & members[0]).sum(1) / members.sum(1)
        true = float((0.85 - gap * share).min())
        found = slice_means(scores, members, least=20, draws=300, seed=seed)
        assert found.lowest is not None
        assert found.below is not None
        held += found.lowest.low <= true <= found.lowest.high
        claimed += found.below.low > 0
    assert held >= 0.92 * tries
    if gap == 0:
        assert claimed <= 0.05 * tries
    if gap == 0.06:
        assert claimed >= 0.9 * tries, "a real gap is seen"
