"""How many bad masks an audit by doubt leaves possible, after every single answer: by betting.

A set is cut into strata of like doubt. Questions are drawn one after the other without
replacement: a mask of stratum s, if it is left, with a probability proportional to 1 / g(s), where
the stake g(s) > 0 is fixed before the draw (it may depend on all answers before). Doubtful masks
have small stakes: they are drawn often, and each says little. Whoever claims that the set holds B
bad masks is bet against, from a capital of 1. Let b of them have been found, so that B − b are
left, and let c(s) ≥ 0 be numbers, in proportions fixed before the draw, whose sum over all masks
left is B − b. After the answer the capital is multiplied by

    1 + r · g(s) · (c(s) − y)        y = 1 for a bad mask, 0 for a good one,

where r = min(1, 0.99 / (max g · (1 − min c))) keeps it positive. If there are B bad ones indeed,
the factor's expectation over all masks left is

    1 + r · Σ d · g · (c − y) = 1 + r · k · (Σ c − Σ y) = 1 + r · k · ((B − b) − (B − b)) = 1

since d = k / g is the probability with which each is drawn, whatever its answer. So the capital is
a martingale that is never negative, and by Ville's inequality (1939) the probability that it
*ever* reaches 1 / alpha is at most alpha. Every B whose capital has reached 1 / alpha is excluded,
and with it every larger one, since each factor grows with B: r · (1 − c) falls, as (1 − c) / (1 −
min c) does. That holds at any moment, however the moment was chosen. Masks of a stratum are as
likely as each other, and nothing is assumed of their answers: a doubt that is worth nothing makes
the audit longer, never wrong. A draw that was uniform is one whose stakes are equal, and a part of
the set has its own audit, of the draws that fell into it.

Betting on means is Waudby-Smith and Ramdas's (2024, J. R. Stat. Soc. B 86); with weighted draws
without replacement and side information it is Shekhar, Xu, Lipton, Liang and Ramdas's (2023, UAI,
"Risk-limiting financial audits via weighted sampling without replacement").

Reviewers who overlook bad masks: if the one who answers finds a bad mask with a probability of at
least f, y / f takes the place of y, and 1 / f that of the 1 in r. What was not found is not known,
so that B is then the number of bad masks that *nobody saw*: at least as many are left at each
draw.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 0.99
"""Part of the capital that one answer may cost."""
_LOWER_STAKE = 0.5
"""Part of the capital that one answer may cost whoever bets that more masks are bad."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Wave:
    """Questions that are drawn by the same stakes.

    Attributes:
        size: how many.
        stakes: by stratum, g above: in (0, ∞).
        expected: by stratum, c above but for a factor: in (0, 1].
    """

    size: int
    stakes: list[float]
    expected: list[float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `Wave(**…)` reads it back."""
        return {"size": self.size, "stakes": self.stakes, "expected": self.expected}


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was drawn from a set, in the order of the draw, and what was found.

    Attributes:
        sizes: (strata,) int64, masks of the set.
        stakes: (waves, strata), in (0, ∞).
        expected: (waves, strata), in (0, 1].
        wave: (draws,) int64, row of both.
        stratum: (draws,) int64.
        bad: (draws,) float64: 1 for a bad mask, 0 for a good one; more than 1 where a bad mask is
            found with a probability below 1, see `with_finding`.
        dearest: the most that `bad` may be.
        follows: the masks that are found are taken from those that are claimed to be left.
    """

    sizes: NDArray[np.int64]
    stakes: Floats
    expected: Floats
    wave: NDArray[np.int64]
    stratum: NDArray[np.int64]
    bad: Floats
    dearest: float = 1.0
    follows: bool = True

    @property
    def found(self) -> int:
        """Bad masks among those that were drawn."""
        return int((self.bad > 0).sum())

    @property
    def accepted(self) -> int:
        """Masks of the set that were not found bad."""
        return int(self.sizes.sum()) - self.found

    @property
    def unseen(self) -> int:
        """Masks of the set that were not drawn."""
        return int(self.sizes.sum()) - len(self.bad)

    @property
    def left(self) -> NDArray[np.int64]:
        """(strata,) masks that were not drawn."""
        return self.sizes - np.bincount(self.stratum, minlength=len(self.sizes))

    @cached_property
    def _expected_left(self) -> Floats:
        """(draws,) sum of what was expected of the masks left before each draw."""
        taken = np.zeros((len(self.bad), len(self.sizes)))
        taken[np.arange(len(self.bad)), self.stratum] = 1
        left = self.sizes - (np.cumsum(taken, axis=0) - taken)
        return np.asarray((left * self.expected[self.wave]).sum(1))

    def log_capital(self, unseen_bad: float) -> float:
        """Log of the capital won from whoever claims that so many unseen masks are bad.

        Args:
            unseen_bad: number of bad masks that were not drawn, at least 0.
        """
        if not len(self.bad):
            return 0.0
        later = self.bad.sum() - self._before if self.follows else 0.0
        ratio = (unseen_bad + later) / self._expected_left
        least = self.expected.min(1)[self.wave] * ratio
        dearest = self.stakes.max(1)[self.wave] * (self.dearest - least)
        scale = np.minimum(1.0, _MOST / np.maximum(dearest, 1e-9))
        gain = scale * self._mine(self.stakes)
        return float(np.log1p(gain * (self._mine(self.expected) * ratio - self.bad)).sum())

    def proves(self, max_error: float, alpha: float) -> bool:
        """Whether at most this share of the accepted masks is bad, but for a chance of alpha."""
        too_many = self.too_many(max_error)
        return too_many > self.unseen or self.log_capital(too_many) >= -math.log(alpha)

    def too_many(self, max_error: float) -> int:
        """The least number of unseen bad masks that is more than this share of the accepted."""
        return math.floor(max_error * self.accepted + 1e-9) + 1

    def most(self, alpha: float) -> int:
        """The largest number of bad masks among the unseen ones that is not excluded."""
        low, high = 0, self.unseen
        while low < high:
            middle = (low + high + 1) // 2
            if self.log_capital(middle) >= -math.log(alpha):
                high = middle - 1
            else:
                low = middle
        return low

    def fewest(self, alpha: float) -> int:
        """The smallest number of bad masks among the unseen ones that is not excluded.

        It is found by betting the other way round, 1 − g · (c − y), with smaller stakes.
        """
        low, high = 0, self.unseen
        while low < high:
            middle = (low + high) // 2
            if self._log_capital_of_more(middle) >= -math.log(alpha):
                low = middle + 1
            else:
                high = middle
        return low

    def _log_capital_of_more(self, unseen_bad: float) -> float:
        if not len(self.bad):
            return 0.0
        left = unseen_bad + self.bad.sum() - self._before
        claimed = self._mine(self.expected) * left / self._expected_left
        # What could be claimed of a mask, were all that are left bad: no answer may cost all.
        number = self.sizes.sum() - np.arange(len(self.bad))
        dearest = (self.stakes * self.expected).max(1)[self.wave] * number / self._expected_left
        stakes = self._mine(self.stakes) * np.minimum(1.0, _LOWER_STAKE / dearest)
        return float(np.log1p(stakes * (self.bad - claimed)).sum())

    @property
    def _before(self) -> Floats:
        """(draws,) what had been found before each."""
        return np.asarray(np.cumsum(self.bad) - self.bad)

    def _mine(self, values: Floats) -> Floats:
        """(draws,) of (waves, strata): those of each draw."""
        return np.asarray(values[self.wave, self.stratum])

    def up_to(self, draws: int) -> "Audit":
        """The same after its first draws."""
        return self.only(np.arange(len(self.bad)) < draws, self.sizes)

    def only(self, drawn: NDArray[np.bool_], sizes: NDArray[np.int64]) -> "Audit":
        """The audit of a part of the set.

        Args:
            drawn: (draws,) which of the draws fell into it.
            sizes: (strata,) masks of the part.
        """
        return replace(
            self,
            sizes=sizes,
            wave=self.wave[drawn],
            stratum=self.stratum[drawn],
            bad=self.bad[drawn],
        )

    def with_finding(self, found_with: Floats) -> "Audit":
        """The audit by reviewers who overlook bad masks; `most` then counts those nobody could see.

        Args:
            found_with: (draws,) in (0, 1], the least probability with which whoever answered finds
                a bad mask; it must not depend on the mask.
        """
        return replace(
            self,
            bad=self.bad / found_with,
            dearest=1 / float(found_with.min(initial=1.0)),
            follows=False,
        )
