"""Does the procedure of `dataengine certify` keep its word? A simulation with known truth.

    python -m benchmarks.quality.certify [CACHE] [--synthetic 1000] [--real 200]

Each crawl is certified as `certify` does it: a threshold from reviewed masks, a fresh audit from
the listed set, the exact finite bound; after a failure a new threshold and a new audit at half the
alpha, up to four times. The synthetic crawls: half ordinary (the doubt is worth something), half
hard: whatever is accepted has 1.0 to 1.2 times the bound of bad masks, and it is tried four times
whatever the reviewed masks say. The real ones resample EG1800 (CACHE of `benchmarks.quality`):
score and threshold come from one half of the photos, crawl and audit from the other, groups of
near-duplicates whole; in every second one the crawl is resampled to 1.0 to 1.2 times the bound.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.masks import table as markdown
from pipelines.certify.certificate import alpha_of_attempt, audit_size, judge_audit, upper_bound
from pipelines.certify.threshold import choose_threshold

ALPHA = 0.05
BOUNDS = (0.01, 0.02, 0.05)
ATTEMPTS = 4
SIZES = (1_000, 10_000, 100_000)


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


@dataclass(frozen=True)
class Outcome:
    """How a crawl ended.

    Attributes:
        max_error: the bound that was asked for.
        size: masks in the crawl that nobody had reviewed.
        kind: of the crawl.
        attempts: audits that were drawn.
        certified: whether one passed.
        true_error: of the set that was certified, or tried last.
        accepted: share of the crawl that was accepted and that nobody looked at.
    """

    max_error: float
    size: int
    kind: str
    attempts: int
    certified: bool
    true_error: float
    accepted: float

    @property
    def wrong(self) -> bool:
        """Certified, and worse than the bound."""
        return self.certified and self.true_error > self.max_error


def certify(crawl: Crawl, kind: str, max_error: float, chance: np.random.Generator) -> Outcome:
    """Run the procedure to its end."""
    left = np.ones(len(crawl.bad), np.bool_)
    seen_doubt, seen_bad = crawl.reviewed_doubt, crawl.reviewed_bad
    total = len(crawl.bad) + len(crawl.reviewed_bad)
    highest, true_error, attempts = math.inf, 0.0, 0
    for number in range(1, ATTEMPTS + 1):
        threshold = math.inf if crawl.forced else choose_threshold(seen_doubt, seen_bad, max_error)
        if threshold is None:
            break
        highest = min(highest, threshold)
        listed = np.flatnonzero(left & (crawl.doubt <= highest))
        alpha = alpha_of_attempt(ALPHA, number)
        planned = size_of_audit(max_error, alpha, len(listed))
        if len(listed) < 50:
            break
        attempts = number
        audit = chance.choice(listed, planned, replace=False)
        true_error = float(crawl.bad[listed].mean())
        judgement = judge_audit(
            errors=int(crawl.bad[audit].sum()),
            audited=planned,
            planned=planned,
            population=len(listed),
            max_error=max_error,
            alpha=alpha,
        )
        if judgement.certified:
            share = (len(listed) - planned) / total
            return Outcome(max_error, len(crawl.bad), kind, number, True, true_error, share)
        left[audit] = False
        within = seen_doubt <= highest  # the audit was drawn from here alone
        seen_doubt = np.append(seen_doubt[within], crawl.doubt[audit])
        seen_bad = np.append(seen_bad[within], crawl.bad[audit])
    return Outcome(max_error, len(crawl.bad), kind, attempts, False, true_error, 0.0)


def size_of_audit(max_error: float, alpha: float, population: int) -> int:
    """The default audit; sets of nearly the same size share one, to save time."""
    digits = 10 ** max(0, len(str(population)) - 2)
    return min(population, _audit_size(max_error, alpha, math.ceil(population / digits) * digits))


@cache
def _audit_size(max_error: float, alpha: float, population: int) -> int:
    return audit_size(max_error, alpha, population=population)


def ordinary(max_error: float, chance: np.random.Generator) -> Crawl:
    """Bad masks are more doubtful than good ones, by more or less."""
    size, reviewed = int(chance.choice(SIZES)), int(chance.integers(200, 601))
    bad = chance.random(size + reviewed) < chance.uniform(max_error, 0.25)
    doubt = chance.normal(size=len(bad)) + chance.uniform(0.5, 3) * bad
    return Crawl(doubt[:size], bad[:size], doubt[size:], bad[size:], forced=False)


def hard(max_error: float, chance: np.random.Generator) -> Crawl:
    """1.0 to 1.2 times the bound, and no doubt to tell good from bad."""
    size = int(chance.choice(SIZES))
    number = math.floor(max_error * chance.uniform(1.0, 1.2) * size) + 1
    bad = chance.permutation(np.arange(size) < number)
    return Crawl(chance.random(size), bad, np.zeros(0), np.zeros(0, np.bool_), forced=True)


def synthetic(number: int, chance: np.random.Generator) -> Iterator[Outcome]:
    """Half of them ordinary, half hard; the bounds in turn."""
    kinds: tuple[tuple[str, Callable[..., Crawl]], ...] = (
        ("synthetic, ordinary", ordinary),
        ("synthetic, hard", hard),
    )
    for index in range(number):
        kind, make = kinds[index % 2]
        max_error = BOUNDS[index // 2 % len(BOUNDS)]
        yield certify(make(max_error, chance), kind, max_error, chance)


def resampled(
    cache_folder: Path, data: Path, number: int, chance: np.random.Generator
) -> Iterator[Outcome]:
    """Crawls drawn from photos that neither the score nor the threshold has seen."""
    from benchmarks.quality.data import photos
    from benchmarks.quality.evidence import NETWORK, table
    from benchmarks.quality.table import without
    from pipelines.doubt.fitting import fit
    from pipelines.masks.second_looks import STUDENT

    known = photos(data, cache_folder / "hashes.json")
    whole = without(table(cache_folder, "eg1800", known, [], NETWORK), STUDENT)
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
            max_error = BOUNDS[index // 2 % len(BOUNDS)]
            size = int(chance.choice(SIZES))
            drawn = chance.integers(0, len(bad), size)
            reviewed = chance.integers(0, int(learnt.sum()), 600)
            crawl = Crawl(
                doubt[drawn],
                bad[drawn],
                fitted.out_of_fold[reviewed],
                whole.bad[learnt][reviewed],
                forced=False,
            )
            if index % 2:
                crawl = at_the_bound(crawl, max_error, chance)
            kind = "real, resampled at the bound" if index % 2 else "real, resampled"
            yield certify(crawl, kind, max_error, chance)


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


def report(outcomes: list[Outcome]) -> Iterator[str]:
    """Markdown: by kind and bound, then all together."""
    lines = [
        ["crawls", "bound", "number", "certified", "wrongly", "tries", "accepted without a person"]
    ]
    keys = sorted({(each.kind, each.max_error) for each in outcomes})
    for kind, max_error in keys:
        some = [each for each in outcomes if (each.kind, each.max_error) == (kind, max_error)]
        passed = [each for each in some if each.certified]
        tries = np.mean([each.attempts for each in some])
        share = np.mean([each.accepted for each in passed]) if passed else 0.0
        lines.append(
            [
                kind,
                f"{max_error:.0%}",
                str(len(some)),
                f"{len(passed)} ({len(passed) / len(some):.0%})",
                str(sum(each.wrong for each in some)),
                f"{tries:.1f}",
                f"{share:.0%} where certified, {np.mean([e.accepted for e in some]):.0%} of all",
            ]
        )
    yield from markdown(lines)
    yield "\nAccepted without a person, of all masks, where certified:\n"
    usual = [each for each in outcomes if not each.kind.endswith(("hard", "bound"))]
    sizes = [["crawls", "bound", *(f"{size:,} masks" for size in SIZES)]]
    for kind, max_error in sorted({(each.kind, each.max_error) for each in usual}):
        cells = []
        for size in SIZES:
            some = [e for e in usual if (e.kind, e.max_error, e.size) == (kind, max_error, size)]
            shares = [each.accepted for each in some if each.certified]
            mean = f"{np.mean(shares):.0%}" if shares else "–"
            cells.append(f"{mean} ({len(shares)} of {len(some)} certified)")
        sizes.append([kind, f"{max_error:.0%}", *cells])
    yield from markdown(sizes)
    for title, some in (
        ("all crawls", outcomes),
        ("hard ones alone", [each for each in outcomes if each.kind.endswith(("hard", "bound"))]),
    ):
        if not some:
            continue
        wrong = sum(each.wrong for each in some)
        low = 1 - upper_bound(len(some) - wrong, len(some), 0.025)
        high = upper_bound(wrong, len(some), 0.025)
        yield (
            f"\nCertified and wrong, {title}: {wrong} of {len(some)}, {wrong / len(some):.1%} "
            f"(95 % interval {low:.1%} to {high:.1%})"
        )


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path, nargs="?", default=None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--synthetic", type=int, default=1_000)
    parser.add_argument("--real", type=int, default=200)
    options = parser.parse_args()
    chance = np.random.default_rng(0)
    outcomes = list(synthetic(options.synthetic, chance))
    if options.cache is not None:
        data = options.shared / "data/eg1800"
        outcomes += resampled(options.cache, data, options.real, chance)
    print(*report(outcomes), sep="\n")


if __name__ == "__main__":
    main()
