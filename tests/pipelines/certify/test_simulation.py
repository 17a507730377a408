"""The small version of benchmarks/quality/certify.py: certificates keep their word."""

import numpy as np
import pytest

from benchmarks.quality import uniform_audits
from benchmarks.quality.certify import METHODS, both, certify, report
from benchmarks.quality.known_crawls import Crawl, drifted, hard, hidden, ordinary
from benchmarks.quality.uniform_audits import choose_threshold

DECEIVING = (hard, hidden, drifted)


def test_certified_and_wrong_is_rare_even_with_retries() -> None:
    chance = np.random.default_rng(0)
    crawls = [
        (f"at the bound {make.__name__}", max_error, make(max_error, 1_000, chance))
        for make in DECEIVING
        for max_error in (0.02, 0.05)
        for _ in range(10)
    ]
    crawls += [("ordinary", 0.05, ordinary(0.05, 1_000, chance)) for _ in range(10)]
    outcomes = list(both(crawls, chance))
    for method in METHODS:
        # With 60 crawls at the bound and a chance of at most 5 %, 8 have a probability below 1 %.
        assert sum(each.wrong for by, each in outcomes if by == method) <= 7
        assert any(each.certified for by, each in outcomes if by == method)
    assert max(each.attempts for _, each in outcomes) > 1
    text = "\n".join(report(outcomes))
    assert "Certified and wrong, crawls at the bound, by doubt: " in text
    assert "who knew which are bad" in text


def test_without_spending_alpha_retries_would_buy_certificates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the simulation can see: at a full alpha an attempt it finds too many wrong ones."""
    chance = np.random.default_rng(0)
    # Betting is careful: it takes a larger alpha to make it err as often.
    for method, module, alpha in (
        (certify, "pipelines.certify.simulating", 0.9),
        (uniform_audits.certify, uniform_audits.__name__, 0.2),
    ):
        name = f"{module}.alpha_of_attempt"
        monkeypatch.setattr(name, lambda _alpha, _number, spent=alpha: spent)
        crawls = [hard(0.05, 1_000, chance) for _ in range(40)]
        assert sum(method(each, "hard", 0.05, chance).wrong for each in crawls) > 7


def test_a_good_crawl_is_certified_at_once() -> None:
    chance = np.random.default_rng(1)
    bad = np.arange(3_000) < 300
    crawl = Crawl(bad * 1.0, bad, bad[:500:5] * 1.0, bad[:500:5], forced=False)
    outcome = uniform_audits.certify(crawl, "good", 0.02, chance)
    assert not outcome.certified  # every reviewed mask up to the 300th is bad: too few good ones
    reviewed = chance.permutation(bad)[:400]
    crawl = Crawl(bad * 1.0, bad, reviewed * 1.0, reviewed, forced=False)
    before = uniform_audits.certify(crawl, "good", 0.02, chance)
    outcome = certify(crawl, "good", 0.02, chance)
    for each in (before, outcome):
        assert each.certified
        assert each.attempts == 1
        assert each.true_error == 0
    assert outcome.asked < before.asked / 2
    assert (outcome.unseen or 0) > (before.unseen or 0)


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
