"""An audit by doubt from its beginning to its end, with answers that are known beforehand."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.certify.auditing import mean_ranks
from pipelines.certify.betting import Audit, Floats
from pipelines.certify.design import Outlook, draw, outlook, strata_of
from pipelines.certify.expectations import expect

_LOOKS, _PART = 10, 20
"""Answers between two looks at them: so many, or so small a part of those there are."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """How an audit ended.

    Attributes:
        drawn: (questions,) rows of the masks that were asked about.
        certified: it was proven.
    """

    drawn: NDArray[np.int64]
    certified: bool


def run_audit(
    ranks: Floats,
    bad: NDArray[np.bool_],
    seen: tuple[Floats, NDArray[np.bool_]],
    max_error: float,
    alpha: float,
    chance: np.random.Generator,
) -> Run:
    """Ask until it is settled, as `certify` does.

    Args:
        ranks: (N,) of the set's masks, in ascending order; see `expectations.ranked`.
        bad: (N,) what people would find.
        seen: ranks of masks that were looked at before, and what was found.
        max_error: the bound to be proven.
        alpha: what the attempt may spend.
        chance: what draws.
    """
    stratum = strata_of(len(ranks))
    means, sizes = mean_ranks(stratum.tolist(), ranks), np.bincount(stratum)
    drawn: NDArray[np.int64] = np.zeros(0, np.int64)
    waves: list[Outlook] = []
    of_wave: NDArray[np.int64] = np.zeros(0, np.int64)

    def audit() -> Audit:
        return Audit(
            sizes=sizes,
            stakes=np.array([each.stakes for each in waves]),
            expected=np.array([each.expected for each in waves]),
            wave=of_wave,
            stratum=stratum[drawn],
            bad=bad[drawn].astype(np.float64),
        )

    while len(drawn) < len(ranks):
        found = expect(np.append(seen[0], ranks[drawn]), np.append(seen[1], bad[drawn]), max_error)
        ahead = outlook(audit(), found.rates(means), max_error, alpha)
        if len(drawn) and not ahead.worth_it:
            return Run(drawn=drawn, certified=False)
        left = np.setdiff1d(np.arange(len(ranks)), drawn)
        more = left[
            draw(ahead.stakes.tolist(), stratum[left], min(ahead.wave_size, len(left)), chance)
        ]
        before, waves = len(drawn), [*waves, ahead]
        drawn = np.append(drawn, more)
        of_wave = np.append(of_wave, np.full(len(more), len(waves) - 1))
        whole = audit()
        step = max(_LOOKS, len(drawn) // _PART)
        for looked_at in [*range(before + step, len(drawn), step), len(drawn)]:
            if whole.up_to(looked_at).proves(max_error, alpha):
                return Run(drawn=drawn[:looked_at], certified=True)
    return Run(drawn=drawn, certified=True)
