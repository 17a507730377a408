"""When a student may take the current one's place."""

import numpy as np
import pytest

from pipelines.rounds.gate import MIN_GROUPS, Gate, compare
from sinet.evaluate import Scores

COUNT = 150


def scores(ious: np.ndarray, f1s: np.ndarray) -> list[Scores]:
    return [
        Scores(iou=iou, native_iou=iou, miou=iou, boundary_f1=f1, boundary_iou=f1)
        for iou, f1 in zip(ious.tolist(), f1s.tolist(), strict=True)
    ]


def judged(
    iou_gain: float,
    f1_gain: float,
    *,
    spread: float = 0.01,
    count: int = COUNT,
    is_first: bool = False,
    groups: list[int] | None = None,
) -> Gate:
    """Compare with a rival that is worse by so much on average."""
    rng = np.random.default_rng(1)
    base, noise = np.full(count, 0.9), rng.normal(0, spread, (2, count))
    noise -= noise.mean(axis=1, keepdims=True)
    own = scores(base + iou_gain + noise[0], base + f1_gain + noise[1])
    return compare(
        own, scores(base, base), groups or list(range(count)), "the rival", is_first=is_first
    )


def test_clearly_better_in_both_passes() -> None:
    gate = judged(0.01, 0.01)
    assert gate.passes
    assert gate.message.startswith("better than the rival: native IoU +1.00 (")
    assert gate.differences["native_iou"].difference == pytest.approx(0.01)


def test_better_in_one_and_not_worse_in_the_other_passes() -> None:
    assert judged(0.01, 0.0).passes
    assert judged(0.0, 0.01).passes


def test_a_difference_within_chance_does_not_pass() -> None:
    gate = judged(0.001, 0.001)
    assert not gate.passes
    assert "not better than the rival beyond chance" in gate.message


def test_better_in_one_but_maybe_worse_in_the_other_does_not_pass() -> None:
    gate = judged(0.02, -0.002)
    assert not gate.passes
    assert gate.message.startswith("may be worse than the rival: boundary F1 -0.20")


def test_the_limits_are_those_of_the_gate() -> None:
    """Not worse: lower limit above -0.2 points; the spread of the mean is 0.08 points here."""
    assert judged(0.01, -0.0002).passes
    assert not judged(0.01, -0.0006).passes


def test_few_images_decide_nothing() -> None:
    gate = judged(0.5, 0.5, count=MIN_GROUPS - 1)
    assert not gate.passes
    assert gate.message == "only 99 independent test images, 100 are needed"


def test_near_duplicates_count_once() -> None:
    groups = [number // 2 for number in range(COUNT)]
    assert not judged(0.5, 0.5, groups=groups).passes


def test_groups_widen_the_interval() -> None:
    """Ten copies of each image are not ten times the evidence."""
    rng = np.random.default_rng(2)
    gains = np.repeat(rng.normal(0.002, 0.01, 120), 10)
    base = np.full(gains.size, 0.9)
    groups = np.repeat(np.arange(120), 10).tolist()
    own, other = scores(base + gains, base + gains), scores(base, base)
    alone = compare(own, other, list(range(gains.size)), "x", is_first=False)
    grouped = compare(own, other, groups, "x", is_first=False)
    width = {
        name: gate.differences["native_iou"].high - gate.differences["native_iou"].low
        for name, gate in (("alone", alone), ("grouped", grouped))
    }
    assert width["grouped"] == pytest.approx(width["alone"] * 10**0.5, rel=0.1)


def test_the_first_student_needs_only_to_beat_an_untrained_network() -> None:
    assert judged(0.3, -0.1, is_first=True).passes
    gate = judged(-0.01, 0.3, is_first=True)
    assert not gate.passes
    assert gate.message == "not better than the rival"
