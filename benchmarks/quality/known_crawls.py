"""Crawls whose truth is known, made to deceive or resampled from real ones."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
BOUNDS = (0.01, 0.02, 0.05)
ATTEMPTS = 4
SIZES = (1_000, 10_000, 100_000)
REVIEWED = 600


@dataclass(frozen=True)
class Crawl:
    """A crawl whose truth is known.

    Attributes:
        doubt: of the masks nobody has reviewed.
        bad: their truth.
        reviewed_doubt: of masks that were drawn at random and reviewed.
        reviewed_bad: what was found.
        forced: try everything, again and again, whatever the reviewed masks say.
    """

    doubt: NDArray[np.float64]
    bad: NDArray[np.bool_]
    reviewed_doubt: NDArray[np.float64]
    reviewed_bad: NDArray[np.bool_]
    forced: bool

    @property
    def total(self) -> int:
        """Masks, reviewed ones included."""
        return len(self.bad) + len(self.reviewed_bad)


@dataclass(frozen=True)
class Outcome:
    """How a crawl ended.

    Attributes:
        crawl: which.
        kind: of it.
        max_error: the bound that was asked for.
        attempts: sets that were tried.
        asked: questions of all audits.
        unseen: masks that were accepted and that nobody looked at; None: nothing was certified.
        true_error: share of bad masks among what was accepted, or tried last.
        left_bad: bad masks among those accepted unseen.
    """

    crawl: Crawl
    kind: str
    max_error: float
    attempts: int
    asked: int
    unseen: int | None
    true_error: float
    left_bad: int = 0

    @property
    def certified(self) -> bool:
        """One of the attempts passed."""
        return self.unseen is not None

    @property
    def wrong(self) -> bool:
        """Certified, and worse than the bound."""
        return self.certified and self.true_error > self.max_error

    @property
    def accepted(self) -> float:
        """Share of all masks that was accepted unseen."""
        return (self.unseen or 0) / self.crawl.total


def ordinary(max_error: float, size: int, chance: np.random.Generator) -> Crawl:
    """Bad masks are more doubtful than good ones, by more or less."""
    reviewed = int(chance.integers(200, 601))
    bad = chance.random(size + reviewed) < chance.uniform(max_error, 0.25)
    doubt = chance.normal(size=len(bad)) + chance.uniform(0.5, 3) * bad
    return Crawl(doubt[:size], bad[:size], doubt[size:], bad[size:], forced=False)


def hard(max_error: float, size: int, chance: np.random.Generator) -> Crawl:
    """1.0 to 1.2 times the bound, and no doubt to tell good from bad."""
    number = math.floor(max_error * chance.uniform(1.0, 1.2) * size) + 1
    bad = chance.permutation(np.arange(size) < number)
    return Crawl(chance.random(size), bad, np.zeros(0), np.zeros(0, np.bool_), forced=True)


def hidden(max_error: float, size: int, chance: np.random.Generator) -> Crawl:
    """The score lies: as many bad masks, all of them among the tenth that it is surest of.

    The reviewed masks, of another crawl, say that it is right.
    """
    number = math.floor(max_error * chance.uniform(1.0, 1.2) * size) + 1
    doubt = chance.random(size)
    bad = np.zeros(size, np.bool_)
    sure = np.argsort(doubt)[: max(number, size // 10)]
    bad[chance.choice(sure, number, replace=False)] = True
    reviewed = chance.random(REVIEWED)
    return Crawl(doubt, bad, reviewed, chance.random(REVIEWED) < reviewed**8, forced=True)


def drifted(max_error: float, size: int, chance: np.random.Generator) -> Crawl:
    """The reviewed masks are a third as often bad as the crawl's, which are at the bound."""
    number = math.floor(max_error * chance.uniform(1.0, 1.2) * size) + 1
    bad = chance.permutation(np.arange(size) < number)
    reviewed = chance.random(REVIEWED) < max_error / 3
    return Crawl(
        chance.normal(size=size) + 1.5 * bad,
        bad,
        chance.normal(size=REVIEWED) + 1.5 * reviewed,
        reviewed,
        forced=True,
    )


MADE: tuple[tuple[str, Callable[[float, int, np.random.Generator], Crawl]], ...] = (
    ("ordinary", ordinary),
    ("at the bound, doubt worthless", hard),
    ("at the bound, bad ones among the surest", hidden),
    ("at the bound, worse than reviewed", drifted),
)


def made(number: int, chance: np.random.Generator) -> Iterator[tuple[str, float, Crawl]]:
    """Kind, bound and crawl; kinds, bounds and sizes in turn."""
    for index in range(number):
        kind, make = MADE[index % len(MADE)]
        turn = index // len(MADE)
        max_error = BOUNDS[turn % len(BOUNDS)]
        size = SIZES[turn // len(BOUNDS) % len(SIZES)]
        yield f"made, {kind}", max_error, make(max_error, size, chance)


def resampled(
    cache_folder: Path, data: Path, number: int, chance: np.random.Generator
) -> Iterator[tuple[str, float, Crawl]]:
    """Crawls drawn from photos that neither the score nor what was reviewed has seen.

    Every second one is resampled to 1.0 to 1.2 times the bound.
    """
    from benchmarks.quality.data import photos
    from benchmarks.quality.evidence import INGEST, table
    from benchmarks.quality.table import without
    from pipelines.doubt.fitting import fit
    from pipelines.masks.second_looks import STUDENT

    known = photos(data, cache_folder / "hashes.json")
    whole = without(table(cache_folder, "eg1800", known, [], INGEST), STUDENT)
    whole = whole.rows(whole.split == "train")  # scores are fitted on nothing else
    halves = 10
    for half in range(halves):
        groups = chance.permutation(np.unique(whole.group))
        learnt = np.isin(whole.group, groups[: len(groups) // 2])
        fitted = fit(
            whole.values[learnt],
            whole.bad[learnt],
            columns=whole.columns,
            groups=whole.group[learnt],
            at_random=np.ones(int(learnt.sum()), np.bool_),
            seed=half,
        )
        doubt = fitted.model.calibrated(fitted.model.log_odds(whole.values[~learnt]))
        bad = whole.bad[~learnt]
        for index in range(number // halves):
            turn = index // 2 + half * (number // halves // 2)
            max_error, size = BOUNDS[turn % 3], SIZES[turn // 3 % 3]
            drawn = chance.integers(0, len(bad), size)
            reviewed = chance.integers(0, int(learnt.sum()), REVIEWED)
            crawl = Crawl(
                doubt[drawn],
                bad[drawn],
                fitted.out_of_fold[reviewed],
                whole.bad[learnt][reviewed],
                forced=False,
            )
            kind = "real, resampled"
            if index % 2:
                crawl, kind = at_the_bound(crawl, max_error, chance), "real, resampled at the bound"
            yield kind, max_error, crawl


def resampled_street(
    cache_folder: Path, data: Path, number: int, chance: np.random.Generator
) -> Iterator[tuple[str, float, Crawl]]:
    """Crawls drawn from `webval/street`, whose photos no network has learnt from.

    The score knows what the default second opinion says, and was fitted on EG1800's `train.txt`;
    what is reviewed is drawn from the same photos. Every second one is resampled to the bound.
    """
    from benchmarks.quality.opinions import street_doubts
    from pipelines.masks.second_looks import VIEW

    bad, _, (doubt,) = street_doubts(cache_folder, data, (VIEW,))
    for index in range(number):
        turn = index // 2
        max_error, size = BOUNDS[turn % 3], SIZES[turn // 3 % 3]
        drawn = chance.integers(0, len(doubt), size)
        reviewed = chance.integers(0, len(doubt), REVIEWED)
        crawl = Crawl(doubt[drawn], bad[drawn], doubt[reviewed], bad[reviewed], forced=False)
        kind = "street, resampled"
        if index % 2:
            crawl, kind = at_the_bound(crawl, max_error, chance), "street, resampled at the bound"
        yield kind, max_error, crawl


def at_the_bound(crawl: Crawl, max_error: float, chance: np.random.Generator) -> Crawl:
    """Resample good and bad masks apart: 1.0 to 1.2 times the bound of what there is is bad."""
    size = len(crawl.bad)
    number = math.floor(max_error * chance.uniform(1.0, 1.2) * size) + 1
    rows = np.concatenate(
        [
            chance.choice(np.flatnonzero(crawl.bad), number),
            chance.choice(np.flatnonzero(~crawl.bad), size - number),
        ]
    )
    return Crawl(
        crawl.doubt[rows], crawl.bad[rows], crawl.reviewed_doubt, crawl.reviewed_bad, forced=True
    )
