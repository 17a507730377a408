"""The combined score: scikit-learn's numbers, JSON and back, honest cross-validation."""

import numpy as np
import pytest

from pipelines.doubt.default import DEFAULT
from pipelines.doubt.fitting import Fitted, _fit_boosting, _fit_logistic, fit
from pipelines.doubt.model import read_model

COLUMNS = ["a", "b", "c"]


def data(number: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bad where a and b say so; c says nothing."""
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(number, 3)) ** 3
    odds = 3 * np.cbrt(values[:, 0]) + np.cbrt(values[:, 1]) - 2
    return values, chance.random(number) < 1 / (1 + np.exp(-odds))


def fitted(number: int = 400, at_random: float = 1.0) -> tuple[Fitted, np.ndarray, np.ndarray]:
    values, bad = data(number)
    drawn = np.random.default_rng(1).random(number) < at_random
    groups = np.arange(number)
    return fit(values, bad, columns=COLUMNS, groups=groups, at_random=drawn), values, bad


def test_parts_answer_as_scikit_learn() -> None:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PowerTransformer

    values, bad = data()
    theirs = GradientBoostingClassifier(
        n_estimators=150, learning_rate=0.04, max_depth=3, min_samples_leaf=5, subsample=0.5,
        max_features=0.3, random_state=3,
    ).fit(values, bad)  # fmt: skip
    ours = _fit_boosting(values, bad, 3)
    assert ours.log_odds(values) == pytest.approx(theirs.decision_function(values))
    regression = make_pipeline(PowerTransformer(), LogisticRegression(C=0.02, max_iter=2000))
    odds = regression.fit(values, bad).decision_function(values)
    assert _fit_logistic(values, bad).log_odds(values) == pytest.approx(odds, abs=1e-6)


def test_it_finds_what_is_bad_out_of_fold() -> None:
    from sklearn.metrics import roc_auc_score

    result, _, bad = fitted()
    assert roc_auc_score(bad, result.out_of_fold) > 0.85
    assert result.out_of_fold.mean() == pytest.approx(bad.mean(), abs=0.02)
    assert result.kind == min(result.log_loss, key=lambda each: result.log_loss[each])


def test_chance_stays_chance_out_of_fold() -> None:
    """Signals without a meaning: a model that saw what it judges would look good."""
    from sklearn.metrics import roc_auc_score

    values, _ = data()
    bad = np.random.default_rng(5).random(len(values)) < 0.3
    groups = np.arange(len(values))
    result = fit(values, bad, columns=COLUMNS, groups=groups, at_random=np.ones(len(bad), bool))
    assert roc_auc_score(bad, result.out_of_fold) < 0.6


def test_near_duplicates_are_not_judged_by_their_twins() -> None:
    from sklearn.metrics import roc_auc_score

    chance = np.random.default_rng(6)
    values = np.repeat(chance.normal(size=(250, 3)), 2, axis=0)
    bad = np.repeat(chance.random(250) < 0.4, 2)
    result = fit(
        values,
        bad,
        columns=COLUMNS,
        groups=np.repeat(np.arange(250), 2),
        at_random=np.ones(len(bad), bool),
    )
    assert roc_auc_score(bad, result.out_of_fold) < 0.62


def test_calibration_comes_from_what_was_drawn_at_random() -> None:
    """People looked at every bad mask and at a tenth of the good: the share must not mislead."""
    values, bad = data(4_000)
    chance = np.random.default_rng(7)
    drawn = chance.random(len(bad)) < 0.3
    seen = drawn | bad | (chance.random(len(bad)) < 0.05)
    result = fit(
        values[seen],
        bad[seen],
        columns=COLUMNS,
        groups=np.arange(int(seen.sum())),
        at_random=drawn[seen],
    )
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in values]
    assert bad[seen].mean() > bad.mean() + 0.1
    assert result.model.doubt(rows).mean() == pytest.approx(bad.mean(), abs=0.03)
    assert result.calibrated_on == drawn.sum()


def test_json_and_back() -> None:
    result, values, _ = fitted()
    again = read_model(result.model.to_json())
    assert again == result.model
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in values[:5]]
    assert np.array_equal(again.doubt(rows), result.model.doubt(rows))
    with pytest.raises(ValueError, match="format"):
        read_model('{"format": "another"}')


def test_a_mask_without_all_signals_has_no_doubt() -> None:
    row = dict.fromkeys(COLUMNS, 0.0)
    model = fitted()[0].model
    found = model.doubt([row, {"a": 1.0}])
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_too_few_decisions_are_refused() -> None:
    values, bad = data(60)
    bad = np.arange(60) < 4
    with pytest.raises(ValueError, match="4 bad and 56 good"):
        fit(values, bad, columns=COLUMNS, groups=np.arange(60), at_random=np.ones(60, bool))


def test_the_default_asks_whoever_was_asked_beside_the_teacher() -> None:
    alone = {"expected_iou": 0.95}
    agrees, differs = (alone | {"student_disagreement": each} for each in (0.02, 0.3))
    sure, unsure = ({"expected_iou": each} for each in (0.99, 0.8))
    doubts = DEFAULT.doubt([agrees, alone, differs, sure, unsure, {}])
    assert doubts[0] < doubts[1] < doubts[2]
    assert doubts[3] < doubts[1] < doubts[4]
    assert np.isnan(doubts[5])
