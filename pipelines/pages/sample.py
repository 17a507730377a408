"""Of which portraits a page shows the pictures: all, or a sample that says how it was drawn."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from db import Verdict
from pipelines.pages.rows import PortraitRow

ENDS: Final = 20
"""Of the most doubtful and of the most confident masks so many are always shown."""
PER_GROUP: Final = 4
"""Portraits of a group of near-duplicates that are shown."""
_LEAST_SHARE: Final = 10
"""Each verdict gets at least a tenth of the pictures, if it has as many."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The portraits that are shown.

    Attributes:
        rows: numbers of their rows, in order.
        doubtful: of those that the checks do not reject the most doubtful, the worst first.
        confident: of those the least doubtful, the best first.
        words: how they were chosen.
    """

    rows: list[int]
    doubtful: list[int]
    confident: list[int]
    words: str


def choose(rows: Sequence[PortraitRow], must: Iterable[int], at_most: int) -> Sample:
    """Choose portraits: those at both ends of doubt, those that must be, and by chance.

    The same portraits make the same sample.

    Args:
        rows: all of them.
        must: numbers of rows that are to be among them.
        at_most: how many.
    """
    # What the checks reject may have nothing in it to be doubtful about.
    known = [
        number
        for number, row in enumerate(rows)
        if row.doubt is not None and row.verdict != Verdict.REJECTED
    ]
    by_doubt = sorted(known, key=lambda number: (rows[number].doubt, number))
    doubtful, confident = by_doubt[-ENDS:][::-1], by_doubt[:ENDS]
    if len(rows) <= at_most:
        words = f"Every one of the {len(rows):,} portraits is shown."
        return Sample(
            rows=list(range(len(rows))), doubtful=doubtful, confident=confident, words=words
        )
    chosen = set(list(dict.fromkeys([*doubtful, *confident, *must]))[:at_most])
    drawn = _drawn(rows, chosen, at_most - len(chosen))
    parts = Counter(rows[number].verdict or "without a mask" for number in drawn)
    by_chance = ", ".join(f"{number:,} {name}" for name, number in sorted(parts.items()))
    words = (
        f"Pictures of {len(chosen) + len(drawn):,} of the {len(rows):,} portraits are on this "
        f"page: the {len(doubtful)} most and the {len(confident)} least doubtful masks, the "
        f"near-duplicates below, and {len(drawn):,} drawn at random ({by_chance}). "
        "All numbers count every portrait."
    )
    return Sample(
        rows=sorted([*chosen, *drawn]),
        doubtful=[number for number in doubtful if number in chosen],
        confident=[number for number in confident if number in chosen],
        words=words,
    )


def _drawn(rows: Sequence[PortraitRow], without: set[int], wanted: int) -> list[int]:
    """Draw rows at random, in proportion to their verdicts, but few of none."""
    by_verdict: dict[str | None, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if number not in without:
            by_verdict[row.verdict].append(number)
    total = sum(map(len, by_verdict.values()))
    chance = np.random.default_rng(0)
    found: list[int] = []
    # The rarest first: what they cannot fill is left to the others.
    for verdict in sorted(by_verdict, key=lambda key: (len(by_verdict[key]), str(key))):
        members, left = by_verdict[verdict], wanted - len(found)
        share = max(wanted // _LEAST_SHARE, round(left * len(members) / max(total, 1)))
        number = min(len(members), left, share)
        found += [members[at] for at in chance.choice(len(members), number, replace=False)]
        total -= len(members)
    return found
