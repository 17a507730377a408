"""The small version of benchmarks/quality/certify.py: certificates keep their word."""

import numpy as np
import pytest

from benchmarks.quality.certify import Crawl, certify, hard, report, synthetic
from pipelines.certify.threshold import choose_threshold


def test_certified_and_wrong_is_rare_even_with_retries() -> None:
    chance = np.random.default_rng(0)
    outcomes = list(synthetic(120, chance))
    wrong = sum(each.wrong for each in outcomes)
    # With 60 crawls at the bound and a chance of at most 5 %, 8 have a probability below 1 %.
    assert wrong <= 7
    assert any(each.certified for each in outcomes)
    assert max(each.attempts for each in outcomes) > 1
    assert "Certified and wrong, all crawls" in "\n".join(report(outcomes))


def test_without_spending_alpha_retries_would_buy_certificates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the simulation can see: at a full alpha an attempt it finds too many wrong ones."""
    monkeypatch.setattr("benchmarks.quality.certify.alpha_of_attempt", lambda _alpha, _number: 0.2)
    chance = np.random.default_rng(0)
    outcomes = [certify(hard(0.05, chance), "hard", 0.05, chance) for _ in range(40)]
    assert sum(each.wrong for each in outcomes) > 7


def test_a_good_crawl_is_certified_at_once() -> None:
    chance = np.random.default_rng(1)
    bad = np.arange(3_000) < 300
    crawl = Crawl(bad * 1.0, bad, bad[:500:5] * 1.0, bad[:500:5], forced=False)
    outcome = certify(crawl, "good", 0.02, chance)
    assert not outcome.certified  # every reviewed mask up to the 300th is bad: too few good ones
    reviewed = chance.permutation(bad)[:400]
    crawl = Crawl(bad * 1.0, bad, reviewed * 1.0, reviewed, forced=False)
    outcome = certify(crawl, "good", 0.02, chance)
    assert outcome.certified
    assert outcome.attempts == 1
    assert outcome.true_error == 0


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ([0] * 100, 99.0),  # (0 + ½) / 101 ≤ 1 %
        ([0] * 40, None),
        ([0] * 60 + [1] * 40, 59.0),
        ([1] + [0] * 99, None),
        ([], None),
    ],
)
def test_threshold(bad: list[int], expected: float | None) -> None:
    doubt = np.arange(len(bad), dtype=np.float64)
    assert choose_threshold(doubt, np.array(bad, np.bool_), 0.02) == expected


def test_equal_doubts_are_accepted_together() -> None:
    bad = np.array([0] * 60 + [1] * 40, np.bool_)
    doubt = np.zeros(100)
    assert choose_threshold(doubt, bad, 0.02) is None
