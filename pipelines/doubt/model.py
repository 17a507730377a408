"""The combined score: the probability that a reviewer would find a mask bad.

A fitted model is plain numbers (JSON), without pickles: it can be stored in the database, read by
any later version and compared. scikit-learn fits it (`pipelines.doubt.fitting`); applying it
takes no more than NumPy and SciPy.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sinet.json_text import to_json

Values = NDArray[np.float64]

FORMAT: Final = "doubt-1"


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on signals made normal (Yeo and Johnson) and standardised.

    Attributes:
        lambdas: of the transformation, one a signal.
        mean: of the transformed signals.
        scale: their standard deviations.
        weights: of the standardised signals.
        intercept: of the log-odds.
    """

    lambdas: list[float]
    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float

    def log_odds(self, values: Values) -> Values:
        """Map (N, signals) to (N,)."""
        from scipy.stats import yeojohnson

        normal = np.column_stack(
            [yeojohnson(values[:, i], lmbda=power) for i, power in enumerate(self.lambdas)]
        )
        standard = (normal - np.array(self.mean)) / np.array(self.scale)
        return np.asarray(standard @ np.array(self.weights) + self.intercept, np.float64)


@dataclass(frozen=True)
class Tree:
    """A regression tree; node 0 is its root.

    Attributes:
        signal: index of the signal a node asks about; −2 at a leaf.
        limit: go left up to this value (compared in float32, as scikit-learn does).
        left: node to go on with; likewise `right`.
        right: see `left`.
        value: of the leaf.
    """

    signal: list[int]
    limit: list[float]
    left: list[int]
    right: list[int]
    value: list[float]

    def predict(self, values: NDArray[np.float32]) -> Values:
        """Map (N, signals) to (N,)."""
        signal, limit = np.array(self.signal), np.array(self.limit)
        left, right = np.array(self.left), np.array(self.right)
        node = np.zeros(len(values), np.int64)
        while (inner := signal[node] >= 0).any():
            at = node[inner]
            goes_left = values[inner, signal[at]] <= limit[at]
            node[inner] = np.where(goes_left, left[at], right[at])
        return np.asarray(np.array(self.value)[node], np.float64)


@dataclass(frozen=True)
class Boosting:
    """Gradient-boosted trees.

    Attributes:
        start: log-odds before the first tree.
        rate: what each tree's answer is multiplied by.
        trees: summed.
    """

    start: float
    rate: float
    trees: list[Tree]

    def log_odds(self, values: Values) -> Values:
        """Map (N, signals) to (N,)."""
        single = values.astype(np.float32)
        total = sum((tree.predict(single) for tree in self.trees), np.zeros(len(values)))
        return np.asarray(self.start + self.rate * total, np.float64)


@dataclass(frozen=True)
class ScoreModel:
    """Signals in, probability of a bad mask out.

    Attributes:
        columns: names of the signals, in the order of the parts' input.
        logistic: a part, or None; the parts' log-odds are averaged.
        boosting: likewise; one of them is there.
        slope: of the calibration, on the averaged log-odds.
        intercept: likewise.
        richer: models that see more, the richest first: each judges the masks that have its
            columns, this one the rest.
    """

    columns: list[str]
    logistic: Logistic | None
    boosting: Boosting | None
    slope: float = 1.0
    intercept: float = 0.0
    richer: list["ScoreModel"] = field(default_factory=list)

    def doubt(self, signals: Sequence[Mapping[str, float]]) -> Values:
        """The probability that each mask is bad.

        Args:
            signals: of each mask, by name; a mask that lacks one of `columns` gets NaN, unless a
                richer model judges it.

        Returns:
            (N,) float64 in [0, 1].
        """
        found = np.full(len(signals), np.nan)
        for model in (*self.richer, self):
            rows = [
                index
                for index, each in enumerate(signals)
                if np.isnan(found[index]) and all(name in each for name in model.columns)
            ]
            if rows:
                values = matrix([signals[index] for index in rows], model.columns)
                found[rows] = model.calibrated(model.log_odds(values))
        return found

    def log_odds(self, values: Values) -> Values:
        """Averaged log-odds of the parts, before calibration: (N, signals) to (N,)."""
        parts = [part.log_odds(values) for part in (self.logistic, self.boosting) if part]
        return np.asarray(np.mean(parts, axis=0), np.float64)

    def calibrated(self, log_odds: Values) -> Values:
        """Log-odds to probabilities."""
        from scipy.special import expit

        return np.asarray(expit(self.slope * log_odds + self.intercept), np.float64)

    def to_json(self) -> str:
        """As text that `read_model` reads."""
        return to_json({"format": FORMAT, **asdict(self)})


def read_model(text: str) -> ScoreModel:
    """Read what `ScoreModel.to_json` wrote.

    Raises:
        ValueError: it is of another format.
    """
    said: dict[str, Any] = json.loads(text)
    if said.pop("format", None) != FORMAT:
        raise ValueError(f"not a score model of format {FORMAT}")
    return _model(said)


def _model(said: dict[str, Any]) -> ScoreModel:
    richer = [_model(each) for each in said.pop("richer", ())]  # not in those of older versions
    logistic, boosting = said.pop("logistic"), said.pop("boosting")
    if boosting:
        trees = [Tree(**tree) for tree in boosting.pop("trees")]
        boosting = Boosting(**boosting, trees=trees)
    return ScoreModel(
        **said,
        logistic=Logistic(**logistic) if logistic else None,
        boosting=boosting,
        richer=richer,
    )


def matrix(rows: Sequence[Mapping[str, float]], columns: Sequence[str]) -> Values:
    """Signals by name as (N, columns) float64."""
    return np.array([[row[name] for name in columns] for row in rows], np.float64).reshape(
        len(rows), len(columns)
    )
