"""Whether masks of one round look like those of the round before, signal by signal.

What a score has learnt from one crawl need not hold for another. Two samples of each signal are
compared by Kolmogorov and Smirnov's test, with the false discovery rate of all signals together at
5 % (Benjamini and Hochberg 1995); both are SciPy's. With thousands of masks anything is
significant, so a signal has drifted only if its distributions also lie apart.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import Image, Mask, Portrait, Release, chunks, reader
from pipelines.doubt.decided import PROPOSED
from pipelines.doubt.model import ScoreModel
from pipelines.doubt.scoring import require_score
from pipelines.doubt.stored_signals import stored_signals
from pipelines.workspace.workspace import Workspace

FALSE_DISCOVERIES = 0.05
FAR_APART = 0.1
"""Largest difference of the cumulative distributions from which a signal counts as drifted."""
LEAST = 20
"""Portraits on either side that a comparison takes."""
DOUBT = "doubt"
"""Name of the combined score among the signals."""
_AT_ONCE = 2_000


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
    """Portraits that came before a round was frozen, and those that came after it.

    Attributes:
        round: that was frozen between them.
        before: portraits between the round before and this one, near-duplicates counted once.
        after: likewise until the next round was frozen, or now.
        visible: the smallest distance that the test of a single signal can see.
        signals: the most distant first; none where there are too few portraits.
    """

    round: int
    before: int
    after: int
    visible: float
    signals: list[SignalDrift]


class _Sample(NamedTuple):
    """Portraits of one period: how many, and by signal the values of those that have it."""

    number: int
    values: dict[str, NDArray[np.float64]]


def compare_signals(
    before: Mapping[str, NDArray[np.float64]], after: Mapping[str, NDArray[np.float64]]
) -> list[SignalDrift]:
    """Compare two samples of signals.

    Args:
        before: signal → (N,) finite values; N may differ from signal to signal.
        after: likewise.

    Returns:
        One for each signal that both have at least `LEAST` values of, the most distant first.
    """
    from scipy.stats import false_discovery_control, ks_2samp

    names = [
        name
        for name in before
        if name in after and min(len(before[name]), len(after[name])) >= LEAST
    ]
    if not names:
        return []
    tests = [ks_2samp(before[name], after[name], method="asymp") for name in names]
    adjusted = false_discovery_control([each.pvalue for each in tests], method="bh")
    found = [
        SignalDrift(
            signal=name,
            before=float(np.median(before[name])),
            after=float(np.median(after[name])),
            distance=float(test.statistic),
            p_value=float(p_value),
            drifted=bool(p_value <= FALSE_DISCOVERIES and test.statistic >= FAR_APART),
        )
        for name, test, p_value in zip(names, tests, adjusted, strict=True)
    ]
    return sorted(found, key=lambda each: -each.distance)


def drift_between_rounds(workspace: Workspace) -> list[RoundDrift]:
    """Compare the portraits that came before and after each round was frozen.

    Each portrait counts once, by the first mask that a network made of it, and of near-duplicates
    the first does: `relabel` asks a student about what people rejected, which is no fair sample,
    and copies of one photo would count as evidence.

    Args:
        workspace: opened; signals that are not known yet are computed and remembered.

    Returns:
        One a round, oldest first.

    Raises:
        WorkspaceError: a blob is missing or damaged.
    """
    with reader(workspace.engine).begin() as connection:
        frozen = connection.execute(
            sa.select(Release.round, Release.created_at)
            .where(Release.round.is_not(None), Release.sealed_at.is_not(None))
            .order_by(Release.created_at)
        ).all()
        made = _first_masks(connection) if frozen else {}
    periods = _periods(made, [row.created_at for row in frozen])
    model = require_score(workspace).model
    samples = [_sample(workspace, model, period) for period in periods]
    return [
        _round_drift(row.round, earlier, later)
        for row, earlier, later in zip(frozen, samples, samples[1:], strict=False)
    ]


def _first_masks(connection: Connection) -> dict[int, datetime]:
    """The first mask that a network made of each group of near-duplicates, and when."""
    group = sa.func.coalesce(Image.group_id, Image.id)
    query = (
        sa.select(Mask.id, Mask.created_at, group.label("group"), Portrait.ordinal)
        .join(Portrait, Portrait.id == Mask.portrait_id)
        .join(Image, Image.id == Portrait.image_id)
        .where(Mask.source.in_(PROPOSED), Mask.probability_blob.is_not(None))
        .order_by(Mask.id)
    )
    first: dict[tuple[int, int], tuple[int, datetime]] = {}
    for row in connection.execute(query):
        first.setdefault((row.group, row.ordinal), (row.id, row.created_at))
    return dict(first.values())


def _periods(made_at: Mapping[int, datetime], limits: Sequence[datetime]) -> list[list[int]]:
    """Masks before the first limit, between the limits, and after the last."""
    found: list[list[int]] = [[] for _ in range(len(limits) + 1)]
    for mask_id, when in made_at.items():
        found[sum(when > limit for limit in limits)].append(mask_id)
    return found


def _sample(workspace: Workspace, model: ScoreModel, mask_ids: Sequence[int]) -> _Sample:
    """Every signal of these masks, of those that have it, and the combined score."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for ids in chunks(mask_ids, _AT_ONCE):
        # Masks of photos that were forgotten meanwhile are gone.
        signals = list(stored_signals(workspace, ids).values())
        for each in signals:
            for name, value in each.items():
                values[name].append(value)
        values[DOUBT].extend(each for each in model.doubt(signals) if np.isfinite(each))
    found = {name: np.array(each) for name, each in values.items()}
    return _Sample(max(map(len, found.values()), default=0), found)


def _round_drift(number: int, before: _Sample, after: _Sample) -> RoundDrift:
    fewest = min(before.number, after.number)
    # Where Kolmogorov and Smirnov's test of one signal begins to be significant at 5 %.
    visible = 1.36 * math.sqrt(1 / before.number + 1 / after.number) if fewest else 1.0
    signals = compare_signals(before.values, after.values) if fewest >= LEAST else []
    return RoundDrift(number, before.number, after.number, min(1.0, visible), signals)
