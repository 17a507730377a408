"""Whether masks of one round look like those of the round before, signal by signal.

What a score has learnt from one crawl need not hold for another. Two samples of each signal are
compared by Kolmogorov and Smirnov's test, with the false discovery rate of all signals together at
5 % (Benjamini and Hochberg 1995); both are SciPy's. With thousands of masks anything is
significant, so a signal has drifted only if its distributions also lie apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from db import Mask, Release, reader
from pipelines.quality.decided import PROPOSED
from pipelines.quality.scoring import doubts, score_masks
from pipelines.quality.stored_signals import stored_signals
from pipelines.workspace import Workspace

FALSE_DISCOVERIES = 0.05
FAR_APART = 0.1
"""Largest difference of the cumulative distributions from which a signal counts as drifted."""
LEAST = 20
"""Masks on either side that a comparison takes."""
DOUBT = "doubt"
"""Name of the combined score among the signals."""


@dataclass(frozen=True)
class SignalDrift:
    """How one signal has moved.

    Attributes:
        signal: its name.
        before: its median.
        after: likewise.
        distance: Kolmogorov and Smirnov's: the largest difference of the cumulative distributions,
            in [0, 1].
        p_value: adjusted for the number of signals.
        drifted: significant, and far enough apart to matter.
    """

    signal: str
    before: float
    after: float
    distance: float
    p_value: float
    drifted: bool


@dataclass(frozen=True)
class RoundDrift:
    """Masks that came before a round was frozen, and those that came after it.

    Attributes:
        round: that was frozen between them.
        before: networks' masks between the round before and this one.
        after: networks' masks until the next round was frozen, or now.
        signals: the most distant first; none where there are too few masks.
    """

    round: int
    before: int
    after: int
    signals: list[SignalDrift]


def compare_signals(
    before: NDArray[np.float64], after: NDArray[np.float64], names: Sequence[str]
) -> list[SignalDrift]:
    """Compare two samples of signals.

    Args:
        before: (N, signals), finite.
        after: (M, signals), finite.
        names: of the signals.

    Returns:
        One a signal, the most distant first.
    """
    from scipy.stats import false_discovery_control, ks_2samp

    if not names:
        return []
    tests = [ks_2samp(before[:, i], after[:, i], method="asymp") for i in range(len(names))]
    adjusted = false_discovery_control([each.pvalue for each in tests], method="bh")
    found = [
        SignalDrift(
            signal=name,
            before=float(np.median(before[:, index])),
            after=float(np.median(after[:, index])),
            distance=float(tests[index].statistic),
            p_value=float(adjusted[index]),
            drifted=bool(
                adjusted[index] <= FALSE_DISCOVERIES and tests[index].statistic >= FAR_APART
            ),
        )
        for index, name in enumerate(names)
    ]
    return sorted(found, key=lambda each: -each.distance)


def drift_between_rounds(workspace: Workspace) -> list[RoundDrift]:
    """Compare the masks that networks made before and after each round was frozen.

    Args:
        workspace: opened; signals and doubts that are not known yet are computed and remembered.

    Returns:
        One a round, oldest first.

    Raises:
        WorkspaceError: a blob is missing or damaged.
    """
    score_masks(workspace)
    with reader(workspace.engine).begin() as connection:
        frozen = connection.execute(
            sa.select(Release.round, Release.created_at)
            .where(Release.round.is_not(None), Release.sealed_at.is_not(None))
            .order_by(Release.created_at)
        ).all()
        made = connection.execute(
            sa.select(Mask.id, Mask.created_at)
            .where(Mask.source.in_(PROPOSED), Mask.probability_blob.is_not(None))
            .order_by(Mask.id)
        ).all()
        doubt = doubts(connection)
    if not frozen:
        return []
    signals = stored_signals(workspace, [row.id for row in made])
    known = {
        mask_id: {**values, **({DOUBT: doubt[mask_id]} if mask_id in doubt else {})}
        for mask_id, values in signals.items()
    }
    periods = _periods({row.id: row.created_at for row in made}, [row.created_at for row in frozen])
    return [
        _round_drift(row.round, [known[i] for i in earlier], [known[i] for i in later])
        for row, earlier, later in zip(frozen, periods, periods[1:], strict=False)
    ]


def _periods(made_at: Mapping[int, datetime], limits: Sequence[datetime]) -> list[list[int]]:
    """Masks before the first limit, between the limits, and after the last."""
    found: list[list[int]] = [[] for _ in range(len(limits) + 1)]
    for mask_id, when in made_at.items():
        found[sum(when > limit for limit in limits)].append(mask_id)
    return found


def _round_drift(
    number: int, before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]]
) -> RoundDrift:
    signals: list[SignalDrift] = []
    if min(len(before), len(after)) >= LEAST:
        common = set.intersection(*(set(each) for each in (*before, *after)))
        names = [name for name in before[0] if name in common]
        rows = [np.array([[each[n] for n in names] for each in part]) for part in (before, after)]
        signals = compare_signals(rows[0], rows[1], names)
    return RoundDrift(number, len(before), len(after), signals)
