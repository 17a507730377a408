"""What share of the masks of a doubt is probably bad, judged by masks that people have looked at.

It steers an audit, and proves nothing: where it is wrong, the audit takes longer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_RATE, _MOST_RATE = 1e-6, 0.95
_LEAST = 0.03
"""Part of the bound that is expected to be bad where nothing bad was ever seen."""
_STRENGTH = np.array([0.02, 0.2])
"""Of the belief that the log-odds rise by 1 with each standard deviation of the doubt."""
_SPREAD = ((-1.2, 0.3), (0.0, 0.4), (1.2, 0.3))
"""Standard deviations and weights that stand for a normal distribution."""


def ranked(doubt: Floats, among: Floats) -> Floats:
    """Doubts as normal scores of their rank, whatever their scale.

    Args:
        doubt: (N,).
        among: of the masks that are ranked, in ascending order.

    Returns:
        (N,), about −4 to 4.
    """
    from scipy.special import ndtri

    share = (np.searchsorted(among, doubt, side="right") - 0.25) / (len(among) + 0.5)
    return np.asarray(ndtri(np.clip(share, 1e-6, 1 - 1e-6)))


@dataclass(frozen=True)
class Expectation:
    """A logistic regression of bad on doubt, and how sure it is.

    Attributes:
        coefficients: intercept and slope.
        spread: (2, 2), Cholesky factor of their covariance.
        least: share of bad masks below which none is expected.
    """

    coefficients: Floats
    spread: Floats
    least: float

    def rates(self, rank: Floats, shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
        """Expected share of bad masks.

        Args:
            rank: (N,) see `ranked`.
            shift: standard deviations away from what is most probable, in two directions.
        """
        from scipy.special import expit

        intercept, slope = self.coefficients + self.spread @ np.array(shift)
        return np.asarray(
            np.clip(self.least + expit(intercept + slope * rank), _LEAST_RATE, _MOST_RATE)
        )

    def cases(self, rank: Floats) -> list[tuple[float, Floats]]:
        """What may be, each with its weight."""
        return [
            (weight * other, self.rates(rank, (one, two)))
            for one, weight in _SPREAD
            for two, other in _SPREAD
        ]


def expect(rank: Floats, bad: NDArray[np.bool_], max_error: float) -> Expectation:
    """Learn from masks that people looked at; few make it unsure, none is enough.

    Args:
        rank: (N,) of masks chosen by chance, or by their doubt.
        bad: (N,) what was found.
        max_error: the bound to be proven: never much less of it is expected.
    """
    from scipy.special import expit, logit

    share = np.clip((bad.sum() + 0.5) / (len(bad) + 1), 0.002, 0.9)
    believed = np.array([float(logit(share)), 1.0])
    design = np.stack([np.ones(len(rank)), rank], axis=1)
    found = believed.copy()
    for _ in range(25):
        rates = expit(design @ found)
        slope = design.T @ (bad - rates) - _STRENGTH * (found - believed)
        curvature = (design * (rates * (1 - rates))[:, None]).T @ design + np.diag(_STRENGTH)
        found = found + np.clip(np.linalg.solve(curvature, slope), -2, 2)
    return Expectation(found, np.linalg.cholesky(np.linalg.inv(curvature)), _LEAST * max_error)
