"""One score for masks that are known more or less: some in views, some by a student, some in both.

A mask's second looks are asked for when it is made or never, so that a workspace soon holds masks
with and without. The basic model learns from all masks, by the signals of one pass; each richer one
from the masks that have its signals, too. A mask is judged by the richest that it allows. All are
calibrated to the same thing, the probability of a bad mask, so that their answers compare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.doubt.fitting import FOLDS, LEAST_OF_EACH, Fitted, fit
from pipelines.doubt.model import ScoreModel, matrix
from pipelines.masks.second_looks import OPINION, STUDENT, VIEW, is_second_look

_KINDS: dict[str, tuple[str, ...]] = {
    "views and student": (VIEW, STUDENT),
    "opinions and student": (OPINION, STUDENT),
    "student": (STUDENT,),
    "opinions": (OPINION,),
    "views": (VIEW,),
}
"""What a richer model sees beside one pass; the richest first."""


@dataclass(frozen=True)
class Tiered:
    """The basic fit, with richer models where enough masks have their signals.

    Attributes:
        fitted: `model.richer` holds the richer models; `out_of_fold` is of the richest model that
            each mask allows, the rest of the basic fit.
        masks: by what a richer model sees, how many masks it was fitted on.
    """

    fitted: Fitted
    masks: dict[str, int]


def fit_tiers(
    signals: Sequence[Mapping[str, float]],
    bad: NDArray[np.bool_],
    *,
    groups: NDArray[np.int64],
    at_random: NDArray[np.bool_],
    seed: int = 0,
) -> Tiered:
    """Fit the basic model and those richer ones that there are masks for.

    Args:
        signals: of each mask, by name.
        bad: (N,) what people found.
        groups: (N,) of near-duplicates.
        at_random: (N,) drawn uniformly from all masks.
        seed: of folds and trees.

    Raises:
        ValueError: there are too few bad or good masks, or groups, for the basic model.
    """

    def fitted_on(rows: NDArray[np.int64], columns: Sequence[str]) -> Fitted:
        return fit(
            matrix([signals[row] for row in rows], columns),
            bad[rows],
            columns=columns,
            groups=groups[rows],
            at_random=at_random[rows],
            seed=seed,
        )

    common = _common(signals)
    plain = [name for name in common if not is_second_look(name)]
    basic = fitted_on(np.arange(len(signals)), plain)
    out_of_fold = basic.out_of_fold.copy()
    richer: list[ScoreModel] = []
    masks: dict[str, int] = {}
    for kind, prefixes in reversed(_KINDS.items()):
        rows = np.array([i for i, each in enumerate(signals) if _has(each, prefixes)], np.int64)
        if not _enough(bad[rows], groups[rows]):
            continue
        more = [name for name in _common([signals[row] for row in rows]) if name not in plain]
        tier = fitted_on(rows, [*plain, *(name for name in more if name.startswith(prefixes))])
        # Only probabilities compare: of an uncalibrated model the order alone is known.
        if basic.calibrated_on and not tier.calibrated_on:
            continue
        out_of_fold[rows] = tier.out_of_fold
        richer.insert(0, tier.model)
        masks[kind] = len(rows)
    model = replace(basic.model, richer=richer)
    return Tiered(replace(basic, model=model, out_of_fold=out_of_fold), masks)


def _common(signals: Sequence[Mapping[str, float]]) -> list[str]:
    """Signals that all of these masks have."""
    shared = set.intersection(*(set(each) for each in signals)) if signals else set()
    return [name for name in signals[0] if name in shared] if signals else []


def _has(signals: Mapping[str, float], prefixes: Sequence[str]) -> bool:
    return all(any(name.startswith(prefix) for name in signals) for prefix in prefixes)


def _enough(bad: NDArray[np.bool_], groups: NDArray[np.int64]) -> bool:
    number_bad = int(bad.sum())
    fewest = min(number_bad, len(bad) - number_bad)
    return fewest >= LEAST_OF_EACH and len(np.unique(groups)) >= FOLDS
