"""The figure at the head of quality.md, from what is known: a model of the person, and a crawl."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import screen
from benchmarks.quality.certify import certify
from benchmarks.quality.known_crawls import Crawl, Outcome
from benchmarks.quality.seconds import Way, draw


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("a",), 1.55),
        (("a", "Control+Enter"), 1.95),
        (("s", "click", "Enter"), 5.2),
        (("s", "click", "x", "click", "Enter"), 8.05),
        (("b", "stroke", "Enter"), 6.3),
    ],
)
def test_the_persons_seconds_by_the_model(keys: tuple[str, ...], expected: float) -> None:
    assert screen.person(keys) == pytest.approx(expected)


def test_what_is_not_accepted_unseen_is_looked_at_and_what_is_bad_there_is_fixed(
    tmp_path: Path,
) -> None:
    crawl = Crawl(np.zeros(80), np.arange(80) < 10, np.zeros(20), np.arange(20) < 2, forced=False)
    outcomes = [
        Outcome(crawl, "street", 0.02, 1, 10, unseen=60, true_error=0.02, left_bad=2),
        Outcome(crawl, "street", 0.02, 1, 10, unseen=None, true_error=0.1),
    ]
    fixes = [("s", "click", "Enter"), ("s", "click", "x", "click", "Enter")]
    way = Way("after", np.zeros(80), certify, ("a",), fixes, wait=1.0, wait_click=0.5)
    cost = way.cost(outcomes)
    # 40 and 100 of 200 are looked at; 10 and 12 of these are bad.
    assert (cost.looked_at, cost.fixed) == pytest.approx((140 / 200, 22 / 200))
    assert cost.looking == pytest.approx(118 * 1.55 / 200)
    assert cost.fixing == pytest.approx(22 * (5.2 + 8.05) / 2 / 200)
    assert cost.waiting == pytest.approx((140 * 1.0 + 22 * 1.5 * 0.5) / 200)
    assert cost.total == pytest.approx(cost.person + cost.waiting)
    draw(["before", "after"], [cost, cost], tmp_path / "seconds.png")
    assert (tmp_path / "seconds.png").read_bytes().startswith(b"\x89PNG")
