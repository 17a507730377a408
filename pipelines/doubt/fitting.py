"""Fitting the combined score on masks that people decided about; scikit-learn does the work.

Two kinds and their mean are compared by cross-validation over groups of near-duplicates, and the
best is fitted on everything. Its calibration is learnt from out-of-fold answers on masks that were
drawn at random: people look at doubtful masks first, so the others are no fair sample.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.doubt.model import Boosting, Logistic, ScoreModel, Tree, Values

FOLDS = 5
LEAST_OF_EACH = 10
"""Bad and good masks it takes to fit anything."""
_LEAST_FOR_CALIBRATION = 10
_KINDS = ("logistic", "boosting", "both")


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what cross-validation says of it.

    Attributes:
        model: fitted on all masks.
        kind: `logistic`, `boosting` or `both`.
        out_of_fold: (N,) probability of each mask by models that were fitted without its group.
        log_loss: of the kinds, by cross-validation before calibration; the lowest was chosen.
        calibrated_on: number of randomly drawn masks the calibration was learnt from; 0: there
            were too few, and the log-odds are taken as they are.
    """

    model: ScoreModel
    kind: str
    out_of_fold: Values
    log_loss: dict[str, float]
    calibrated_on: int


def fit(
    values: Values,
    bad: NDArray[np.bool_],
    *,
    columns: Sequence[str],
    groups: NDArray[np.int64],
    at_random: NDArray[np.bool_],
    seed: int = 0,
) -> Fitted:
    """Fit the combined score.

    Args:
        values: (N, columns), finite.
        bad: (N,) what people found.
        columns: names of the signals.
        groups: (N,) of near-duplicates: never apart in cross-validation.
        at_random: (N,) drawn uniformly from all masks.
        seed: of folds and trees.

    Raises:
        ValueError: there are too few bad or good masks, or groups.
    """
    from sklearn.metrics import log_loss

    number_bad = int(bad.sum())
    if min(number_bad, len(bad) - number_bad) < LEAST_OF_EACH:
        raise ValueError(
            f"{number_bad} bad and {len(bad) - number_bad} good masks; "
            f"it takes {LEAST_OF_EACH} of each"
        )
    odds: dict[str, Values] = {kind: np.zeros(len(bad)) for kind in _KINDS}
    for learnt, judged in _folds(bad, groups, seed):
        logistic = _fit_logistic(values[learnt], bad[learnt])
        boosting = _fit_boosting(values[learnt], bad[learnt], seed)
        odds["logistic"][judged] = logistic.log_odds(values[judged])
        odds["boosting"][judged] = boosting.log_odds(values[judged])
    odds["both"] = (odds["logistic"] + odds["boosting"]) / 2
    losses = {kind: float(log_loss(bad, _probability(each))) for kind, each in odds.items()}
    kind = min(losses, key=lambda each: losses[each])
    slope, intercept, used = _calibration(odds[kind], bad, at_random)
    model = ScoreModel(
        columns=list(columns),
        logistic=_fit_logistic(values, bad) if kind != "boosting" else None,
        boosting=_fit_boosting(values, bad, seed) if kind != "logistic" else None,
        slope=slope,
        intercept=intercept,
    )
    return Fitted(model, kind, model.calibrated(odds[kind]), losses, used)


def _folds(
    bad: NDArray[np.bool_], groups: NDArray[np.int64], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedGroupKFold

    # It goes through groups by their numbers: these count as they come, whatever they are called.
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    as_they_come = np.argsort(np.argsort(first))[inverse]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros((len(bad), 1)), bad, as_they_come))


def _fit_logistic(values: Values, bad: NDArray[np.bool_]) -> Logistic:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import PowerTransformer, StandardScaler

    normal = PowerTransformer(standardize=False).fit(values)
    scaler = StandardScaler().fit(normal.transform(values))
    standard = scaler.transform(normal.transform(values))
    # Many signals say nearly the same: strong shrinkage, and more of it where little is known.
    fitted = LogisticRegression(C=0.02, max_iter=2000).fit(standard, bad)
    return Logistic(
        lambdas=normal.lambdas_.tolist(),
        mean=scaler.mean_.tolist(),
        scale=scaler.scale_.tolist(),
        weights=fitted.coef_[0].tolist(),
        intercept=float(fitted.intercept_[0]),
    )


def _fit_boosting(values: Values, bad: NDArray[np.bool_], seed: int) -> Boosting:
    from sklearn.ensemble import GradientBoostingClassifier

    rate = 0.04
    fitted = GradientBoostingClassifier(
        n_estimators=150,
        learning_rate=rate,
        max_depth=3,
        min_samples_leaf=5,
        subsample=0.5,
        max_features=0.3,
        random_state=seed,
    ).fit(values, bad)
    share = float(bad.mean())
    return Boosting(
        start=math.log(share / (1 - share)),
        rate=rate,
        trees=[_tree(each.tree_) for each in fitted.estimators_[:, 0]],
    )


def _tree(fitted: Any) -> Tree:
    return Tree(
        signal=fitted.feature.tolist(),
        limit=fitted.threshold.tolist(),
        left=fitted.children_left.tolist(),
        right=fitted.children_right.tolist(),
        value=fitted.value[:, 0, 0].tolist(),
    )


def _calibration(
    odds: Values, bad: NDArray[np.bool_], at_random: NDArray[np.bool_]
) -> tuple[float, float, int]:
    """Slope and intercept (Platt) from out-of-fold log-odds of the randomly drawn masks."""
    from sklearn.linear_model import LogisticRegression

    drawn = bad[at_random]
    if min(int(drawn.sum()), int((~drawn).sum())) < _LEAST_FOR_CALIBRATION:
        return 1.0, 0.0, 0
    fitted = LogisticRegression(C=1e6).fit(odds[at_random, None], drawn)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0]), int(at_random.sum())


def _probability(odds: Values) -> Values:
    from scipy.special import expit

    return np.asarray(expit(odds), np.float64)
