"""What is most informative: doubtful, and unlike everything before."""

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.review.diversity import most_informative


def kinds(*sizes: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Points close to a corner each, far from the others; and which corner."""
    chance = np.random.default_rng(0)
    kind = np.repeat(np.arange(len(sizes)), sizes)
    return 10 * np.eye(len(sizes))[kind] + chance.normal(0, 0.1, (len(kind), len(sizes))), kind


def test_every_kind_has_its_turn_before_a_second_of_any() -> None:
    points, kind = kinds(100, 10, 10, 10)
    chosen = most_informative(np.ones(130), points, np.arange(130), points[:0], 8)
    assert sorted(kind[chosen[:4]]) == [0, 1, 2, 3]
    assert len(set(chosen.tolist())) == 8


def test_the_first_is_the_most_doubtful_and_doubt_outweighs_distance_in_the_end() -> None:
    points, kind = kinds(20, 20, 20)
    doubt = np.full(60, 0.01)
    doubt[kind == 1] = 0.9
    doubt[25] = 1.0
    chosen = most_informative(doubt, points, np.arange(60), points[:0], 10)
    assert chosen[0] == 25
    # What nobody doubts teaches little, however unlike the rest it is.
    assert (kind[chosen] == 1).sum() >= 5


def test_what_people_decided_about_is_known() -> None:
    points, kind = kinds(10, 10, 10)
    decided = points[kind == 2]
    chosen = most_informative(np.ones(30), points, np.arange(30), decided, 2)
    assert sorted(kind[chosen]) == [0, 1]


def test_near_duplicates_come_after_everything_else() -> None:
    points, _ = kinds(5, 5)
    groups = np.array([0, 0, 0, 1, 2, 3, 3, 4, 5, 6])
    chosen = most_informative(np.ones(10), points, groups, points[:0], 10)
    assert len(set(groups[chosen[:7]])) == 7
    assert sorted(chosen) == list(range(10))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_no_feature_outweighs_others_by_its_unit(scale: float) -> None:
    points, _ = kinds(20, 5, 5)
    scaled = points * np.array([scale, 1.0, 1.0])
    doubt = np.linspace(0.1, 1, 30)
    arguments = np.arange(30), points[:0], 6
    assert (most_informative(doubt, points, *arguments)
            == most_informative(doubt, scaled, *arguments)).all()  # fmt: skip


def test_constant_features_no_doubt_and_nothing_asked() -> None:
    points = np.ones((6, 4))
    doubt = np.zeros(6)
    assert sorted(most_informative(doubt, points, np.arange(6), points[:3], 6)) == list(range(6))
    assert most_informative(doubt, points, np.arange(6), points[:0], 0).size == 0
