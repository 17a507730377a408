"""Audits by doubt from beginning to end, with answers that are known beforehand."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.certify.auditing import mean_ranks
from pipelines.certify.betting import Audit, Floats
from pipelines.certify.certificate import alpha_of_attempt
from pipelines.certify.design import Outlook, choose_size, draw, outlook, strata_of
from pipelines.certify.expectations import expect

_LOOKS, _PART = 10, 20
"""Answers between two looks at them: so many, or so small a part of those there are."""
_LEAST_MASKS = 50
"""With fewer left, nobody tries once more."""


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


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """How one attempt after the other ended.

    Attributes:
        number: of the last one; 0: none was worth it.
        audited: rows that the audits asked about, in their order.
        listed: rows of the last attempt's set; empty if there was none.
        unseen: rows of that set that nobody was asked about, if it was certified; else empty.
        certified: it was.
    """

    number: int = 0
    audited: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    listed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unseen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    certified: bool = False


def run_attempts(
    ranks: Floats,
    bad: NDArray[np.bool_],
    seen: tuple[Floats, NDArray[np.bool_]],
    max_error: float,
    alpha: float,
    chance: np.random.Generator,
    *,
    before: int = 0,
    most: int = 4,
    forced: bool = False,
) -> Attempts:
    """Certify, and after a failure try another set, as somebody would who never gives up.

    Args:
        ranks: (N,) of all masks that may be accepted, in ascending order.
        bad: (N,) what people would find.
        seen: as in `run_audit`.
        max_error: the bound to be proven.
        alpha: of all attempts together.
        chance: what draws.
        before: attempts that were made already.
        most: attempts more.
        forced: list everything, whether or not it is worth an audit.
    """
    left, found = np.arange(len(ranks)), Attempts()
    for number in range(before + 1, before + most + 1):
        spent = alpha_of_attempt(alpha, number)
        size = len(left)
        if not forced:
            layout = choose_size(ranks[left], expect(*seen, max_error), max_error, spent)
            if layout.gain <= 0:
                break
            size = layout.size
        listed = left[:size]
        run = run_audit(ranks[listed], bad[listed], seen, max_error, spent, chance)
        drawn = listed[run.drawn]
        found = Attempts(
            number=number,
            audited=np.append(found.audited, drawn),
            listed=listed,
            unseen=np.setdiff1d(listed, drawn) if run.certified else found.unseen,
            certified=run.certified,
        )
        seen = np.append(seen[0], ranks[drawn]), np.append(seen[1], bad[drawn])
        left = np.setdiff1d(left, drawn)
        if run.certified or len(left) < _LEAST_MASKS:
            break
    return found
