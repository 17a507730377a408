"""Audits by doubt keep their word at any moment, whatever the doubt is worth."""

import math

import numpy as np
import pytest
from scipy.stats import hypergeom

from pipelines.certify.betting import Audit, Wave
from pipelines.certify.design import _claimed, draw, outlook, strata_of
from pipelines.certify.expectations import expect, ranked

EQUAL = {"stakes": np.ones((1, 1)), "expected": np.full((1, 1), 0.1)}


def uniform(bad: list[int], size: int) -> Audit:
    """An audit of one stratum."""
    zeros = np.zeros(len(bad), np.int64)
    return Audit(
        sizes=np.array([size]), wave=zeros, stratum=zeros, bad=np.array(bad, np.float64), **EQUAL
    )


def drawn(bad: np.ndarray, stakes: np.ndarray, number: int, chance: np.random.Generator) -> Audit:
    """Draws from a set of two strata, the second half being the doubtful one."""
    stratum = (np.arange(len(bad)) >= len(bad) // 2).astype(np.int64)
    rows = draw(stakes.tolist(), stratum, number, chance)
    return Audit(
        sizes=np.bincount(stratum),
        stakes=stakes[None],
        expected=np.array([[0.02, 0.1]]),
        wave=np.zeros(number, np.int64),
        stratum=stratum[rows],
        bad=bad[rows].astype(np.float64),
    )


def test_a_spotless_uniform_audit_is_nearly_as_strong_as_the_exact_test() -> None:
    for number in (60, 120, 300):
        exact = max(b for b in range(400) if hypergeom.cdf(0, 400, b, number) > 0.05)
        bold = Audit(
            sizes=np.array([400]),
            stakes=np.full((1, 1), 1.1),
            expected=np.full((1, 1), 0.1),
            wave=np.zeros(number, np.int64),
            stratum=np.zeros(number, np.int64),
            bad=np.zeros(number),
        )
        assert exact <= bold.most(0.05) <= math.ceil(1.1 * exact) + 1


def test_the_capital_is_a_martingale_exactly() -> None:
    """Over all draws of two from four masks, one of them bad, by unequal stakes."""
    bad, stakes, expected = [0.0, 1.0, 0.0], [0.9, 0.4], [[0.1, 0.3]]
    stratum = [0, 1, 1]
    total = 0.0
    for first in range(3):
        for second in set(range(3)) - {first}:
            left = [each for each in range(3) if each != first]
            chance = (1 / stakes[stratum[first]]) / sum(1 / stakes[s] for s in stratum)
            rest = sum(1 / stakes[stratum[each]] for each in left)
            chance *= (1 / stakes[stratum[second]]) / rest
            audit = Audit(
                sizes=np.array([1, 2]),
                stakes=np.array([stakes]),
                expected=np.array(expected),
                wave=np.zeros(2, np.int64),
                stratum=np.array([stratum[first], stratum[second]]),
                bad=np.array([bad[first], bad[second]]),
            )
            total += chance * math.exp(audit.log_capital(1 - audit.found))
    assert total == pytest.approx(1)


@pytest.mark.parametrize("hidden_in", ["sure", "doubtful"])
def test_whoever_looks_after_every_answer_is_rarely_wrong(hidden_in: str) -> None:
    chance, wrong, size, alpha = np.random.default_rng(3), 0, 120, 0.2
    for _ in range(120):
        bad = np.zeros(size, np.bool_)
        where = np.arange(60) if hidden_in == "sure" else np.arange(60, 120)
        bad[chance.choice(where, 12, replace=False)] = True
        audit = drawn(bad, np.array([0.9, 0.3]), 90, chance)
        looks = [audit.up_to(number) for number in range(5, 91, 5)]
        wrong += any(each.most(alpha) < bad.sum() - each.found for each in looks)
    assert wrong <= 24 + 12  # 0.2 of 120, and three standard deviations


def test_more_that_is_claimed_is_refuted_sooner() -> None:
    chance = np.random.default_rng(0)
    audit = drawn(chance.random(300) < 0.05, np.array([1.05, 0.4]), 150, chance)
    capital = [audit.log_capital(unseen) for unseen in range(audit.unseen)]
    assert capital == sorted(capital)
    assert audit.fewest(0.1) <= audit.most(0.1)


def test_bounds_close_in_on_the_truth() -> None:
    chance = np.random.default_rng(1)
    bad = np.arange(2_000) % 10 == 0
    audit = drawn(bad, np.array([0.5, 0.5]), 1_500, chance)
    left = int(bad.sum()) - audit.found
    assert 0 < audit.fewest(0.05) <= left <= audit.most(0.05) < 4 * left


def test_everything_seen_leaves_nothing_to_prove() -> None:
    assert uniform([0] * 19 + [1], 20).proves(0.01, 1e-9)
    assert not uniform([], 20).proves(0.01, 0.05)
    assert uniform([], 20).most(0.05) == 20


def test_reviewers_who_overlook_half_leave_more_possible() -> None:
    chance = np.random.default_rng(5)
    audit = drawn(chance.random(400) < 0.04, np.array([0.9, 0.5]), 200, chance)
    sharp = audit.with_finding(np.ones(200)).most(0.05)
    blurred = audit.with_finding(np.full(200, 0.5)).most(0.05)
    assert audit.most(0.05) <= sharp < blurred
    half = np.where(np.arange(200) < 100, 1.0, 0.5)
    assert sharp < audit.with_finding(half).most(0.05) <= blurred


def test_the_bound_with_overlooking_holds_as_often_as_it_says() -> None:
    chance, wrong = np.random.default_rng(4), 0
    for _ in range(150):
        bad = chance.permutation(np.arange(300) < 30)
        finds = np.where(np.arange(100) % 2, 0.9, 0.6)  # two people, in turn
        audit = drawn(bad, np.array([0.9, 0.6]), 100, chance)
        found = audit.bad * (chance.random(100) < finds)
        seen = Audit(**{**vars_of(audit), "bad": found}).with_finding(finds)
        wrong += seen.most(0.2) < 30 - audit.found
    assert wrong <= 30 + 15


def vars_of(audit: Audit) -> dict[str, object]:
    names = ("sizes", "stakes", "expected", "wave", "stratum", "bad")
    return {name: getattr(audit, name) for name in names}


def test_a_part_has_the_draws_that_fell_into_it() -> None:
    chance = np.random.default_rng(2)
    audit = drawn(chance.random(100) < 0.1, np.array([0.9, 0.3]), 50, chance)
    part = audit.only(audit.stratum == 1, np.array([0, 50]))
    assert part.unseen == 50 - int((audit.stratum == 1).sum())
    assert part.found <= audit.found
    assert (audit.left == audit.sizes - np.bincount(audit.stratum, minlength=2)).all()


def test_waves_are_read_back_from_json() -> None:
    wave = Wave(size=3, stakes=[0.5, 0.1], expected=[0.01, 0.2])
    assert Wave(**wave.as_dict()) == wave


def test_doubtful_masks_are_drawn_more_often_and_bet_on_less() -> None:
    doubt = np.linspace(0, 1, 2_000)
    chance = np.random.default_rng(0)
    seen = chance.random(600)
    bad = chance.random(600) < 0.1 * seen**4
    rank = ranked(doubt, doubt)
    stratum = strata_of(2_000)
    means = np.bincount(stratum, rank) / np.bincount(stratum)
    audit = Audit(
        sizes=np.bincount(stratum),
        stakes=np.zeros((0, 32)),
        expected=np.zeros((0, 32)),
        wave=np.zeros(0, np.int64),
        stratum=np.zeros(0, np.int64),
        bad=np.zeros(0),
    )
    rates = expect(ranked(seen, doubt), bad, 0.05).rates(means)
    assert (np.diff(rates) > 0).all()
    ahead = outlook(audit, rates, 0.05, 0.05)
    assert ahead.stakes[0] > 1.5 * ahead.stakes[-1]
    assert (ahead.expected > rates).all()
    rows = draw(ahead.stakes.tolist(), stratum, 400, chance)
    assert len(set(rows.tolist())) == 400
    assert (stratum[rows] >= 16).mean() > 0.55
    hopeless = outlook(audit, np.full(32, 0.06), 0.05, 0.05)
    assert hopeless.questions == math.inf
    assert not hopeless.worth_it


def test_an_answer_gains_the_same_in_every_stratum() -> None:
    """What is claimed is where an answer gains as much on average as it was asked to."""
    rates = np.geomspace(1e-6, 0.95, 50)
    for growth in (1e-5, 1e-3, 0.3):
        claimed = _claimed(rates, np.full(50, growth))
        gain = rates * np.log(rates / claimed)
        gain += (1 - rates) * np.log((1 - rates) / (1 - claimed))
        assert (claimed > rates).all()
        assert gain == pytest.approx(np.full(50, growth), rel=1e-6)
