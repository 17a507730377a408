"""Bounds against known values, against each other, and against chance."""

import numpy as np
import pytest
from scipy.stats import binomtest, hypergeom

from pipelines.certify.certificate import (
    allowed_errors,
    alpha_of_attempt,
    audit_size,
    judge_audit,
    power,
    proves,
    upper_bound,
)


@pytest.mark.parametrize(("max_error", "audited"), [(0.02, 149), (0.01, 299), (0.05, 59)])
def test_zero_errors_certify_at_the_known_sizes(max_error: float, audited: int) -> None:
    assert proves(0, audited, max_error, 0.05)
    assert not proves(0, audited - 1, max_error, 0.05)
    assert audit_size(max_error, 0.05, true_error=0) == audited


def test_the_smallest_audit_has_little_power() -> None:
    assert power(149, 0.01, 0.02, 0.05) == pytest.approx(0.224, abs=0.002)


def test_default_audit_has_its_power_and_no_smaller_one_has() -> None:
    size = audit_size(0.02, 0.05)
    assert power(size, 0.01, 0.02, 0.05) >= 0.8
    assert max(power(n, 0.01, 0.02, 0.05) for n in range(100, size, 7)) < 0.8


@pytest.mark.parametrize(("errors", "audited"), [(0, 10), (3, 50), (50, 50), (7, 400)])
def test_clopper_pearson_is_scipys(errors: int, audited: int) -> None:
    exact = binomtest(errors, audited, alternative="less").proportion_ci(0.95, "exact").high
    assert upper_bound(errors, audited, 0.05) == pytest.approx(exact)


@pytest.mark.parametrize("population", [None, 150, 1_000])
@pytest.mark.parametrize("audited", [10, 149])
def test_test_and_bound_agree(population: int | None, audited: int) -> None:
    for errors in range(audited // 8):
        bound = upper_bound(errors, audited, 0.05, population)
        for max_error in (0.01, 0.02, 0.05, 0.1):
            assert proves(errors, audited, max_error, 0.05, population) == (bound <= max_error)


@pytest.mark.parametrize(("population", "audited", "errors"), [(40, 10, 1), (300, 120, 0)])
def test_finite_bound_is_the_largest_number_not_ruled_out(
    population: int, audited: int, errors: int
) -> None:
    likely = [
        bad
        for bad in range(population + 1)
        if bad >= errors
        and population - bad >= audited - errors
        and hypergeom.cdf(errors, population, bad, audited) > 0.05
    ]
    assert upper_bound(errors, audited, 0.05, population) == max(likely) / population


def test_finite_sets_need_smaller_audits() -> None:
    sizes = [audit_size(0.02, 0.05, population=each) for each in (200, 1000, 10_000)]
    assert sizes == sorted(sizes)
    assert sizes[-1] <= audit_size(0.02, 0.05)
    # One bad mask of 30 is more than 2 %; one that nobody looked at is it in 1 of 30 cases.
    assert audit_size(0.02, 0.05, population=30) == 29
    assert upper_bound(3, 200, 0.05, 200) == 3 / 200  # all were looked at: nothing is unknown


def test_bounds_cover_as_often_as_they_say() -> None:
    """The worst true error there is for each audit, over all outcomes, exactly."""
    for population, audited in ((60, 30), (500, 149), (500, 320)):
        for bad in range(1, population // 6):
            limit = (bad - 1e-6) / population  # the set is worse than this
            allowed = allowed_errors(audited, limit, 0.05, population)
            wrongly = hypergeom.cdf(allowed, population, bad, audited) if allowed >= 0 else 0
            assert wrongly <= 0.05


def test_attempts_spend_no_more_than_alpha() -> None:
    assert alpha_of_attempt(0.05, 1) == 0.025
    assert sum(alpha_of_attempt(0.05, number) for number in range(1, 60)) <= 0.05
    with pytest.raises(ValueError, match="count from 1"):
        alpha_of_attempt(0.05, 0)


def judged(errors: int, audited: int, planned: int = 149) -> str | None:
    return judge_audit(
        errors=errors,
        audited=audited,
        planned=planned,
        population=100_000,
        max_error=0.02,
        alpha=0.05,
    ).missing


def test_judgement_says_what_is_missing() -> None:
    assert judged(0, 149) is None
    assert judged(0, 140) == "9 of 149 audit answers are missing"
    assert "1 of 149 audited masks are bad" in (judged(1, 149) or "")
    assert "1 of 20 audited masks are bad" in (judged(1, 20) or "")  # no need to wait
    assert "at least 149" in (judged(0, 100, planned=100) or "")


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="errors"):
        upper_bound(3, 2, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        upper_bound(0, 2, 1.0)
    with pytest.raises(ValueError, match="set of 10"):
        upper_bound(0, 20, 0.05, 10)


def test_simulated_audits_of_sets_at_the_bound_seldom_pass() -> None:
    """By drawing, not by the formulas the bound is made of."""
    chance = np.random.default_rng(3)
    population, audited, passed = 2_000, 400, 0
    bad = 41  # 2.05 %
    allowed = allowed_errors(audited, 0.02, 0.05, population)
    truth = np.arange(population) < bad
    for _ in range(2_000):
        passed += int(chance.choice(truth, audited, replace=False).sum()) <= allowed
    assert passed / 2_000 < 0.065


def test_who_sees_everything_has_the_plain_bound() -> None:
    for population in (None, 200):
        assert upper_bound(2, 60, 0.05, population, missed=0) == upper_bound(
            2, 60, 0.05, population
        )
        assert upper_bound(0, 60, 0.05, population, missed=1) == 1


def test_what_is_overlooked_is_not_ruled_out_by_looking_at_everything() -> None:
    # Of B bad masks all are overlooked with a probability of 0.5 ** B: 4 with 6 %, 5 with 3 %.
    assert upper_bound(0, 20, 0.05, 20) == 0
    assert upper_bound(0, 20, 0.05, 20, missed=0.5) == pytest.approx(4 / 20)


def test_overlooking_widens_the_bound_as_it_thins_the_errors() -> None:
    large = upper_bound(3, 200, 0.05, 1_000_000, missed=0.25)
    assert large == pytest.approx(upper_bound(3, 200, 0.05) / 0.75, rel=1e-3)
    assert upper_bound(3, 200, 0.05, missed=0.25) == pytest.approx(large, rel=1e-3)
    bounds = [upper_bound(3, 200, 0.05, 600, missed=each) for each in (0, 0.1, 0.3, 0.6)]
    assert bounds == sorted(set(bounds))


def test_the_bound_with_overlooking_holds_as_often_as_it_says() -> None:
    chance = np.random.default_rng(4)
    population, bad, audited, missed = 300, 30, 80, 0.3
    drawn = chance.hypergeometric(bad, population - bad, audited, 2_000)
    found = chance.binomial(drawn, 1 - missed)
    known = {
        errors: upper_bound(int(errors), audited, 0.1, population, missed=missed)
        for errors in np.unique(found)
    }
    wrong = np.mean([known[errors] < bad / population for errors in found])
    assert 0.02 < wrong <= 0.1 + 0.02
