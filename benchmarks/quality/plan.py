"""Does `dataengine review plan` foretell what review takes? Crawls with known truth.

    python -m benchmarks.quality.plan [CACHE] [--made 60] [--real 60]

Each crawl (`known_crawls`; none that was made to deceive) is planned from what people found in 200
to 600 masks that chance chose, then reviewed to its end with its true answers. How often is what it
took within the span that nine of ten simulations were within, and how far from their middle is it,
as a share of all questions? CACHE is that of `benchmarks.quality`.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.masks import table as markdown
from benchmarks.quality.known_crawls import (
    ALPHA,
    BOUNDS,
    REVIEWED,
    SIZES,
    Crawl,
    ordinary,
    resampled,
)
from pipelines.review.simulating import Reviewed, Undecided, simulate_review, truth_of
from pipelines.workspace.settings import ReviewSettings

SIMULATIONS = 40
TEST_SHARE = 0.1


class Foretold(NamedTuple):
    """One crawl: what 40 simulations said, and what it was."""

    kind: str
    max_error: float
    simulated: list[Reviewed]
    real: Reviewed


def questions(each: Reviewed) -> int:
    """All that were asked."""
    return sum(work.good + work.bad for work in each.work.values())


def audits(each: Reviewed) -> int:
    """Those of audits."""
    return each.work["audit"].good + each.work["audit"].bad


COUNTS: dict[str, Callable[[Reviewed], int]] = {
    "questions": questions,
    "of audits": audits,
    "bad masks": lambda each: each.bad,
    "unseen": lambda each: each.unseen,
}


def foretell(kind: str, max_error: float, crawl: Crawl, chance: np.random.Generator) -> Foretold:
    """Plan, then review."""
    order = np.argsort(crawl.doubt, kind="stable")
    found = Undecided(
        doubt=crawl.doubt[order],
        scored=np.sort(np.append(crawl.doubt, crawl.reviewed_doubt)),
        in_test=chance.random(len(order)) < TEST_SHARE,
        audited=np.zeros(len(order), np.bool_),
        seen=(crawl.reviewed_doubt, crawl.reviewed_bad),
        attempts=0,
    )
    bound, settings = (max_error, ALPHA), ReviewSettings()
    truth = truth_of(found, max_error)
    simulated = [
        simulate_review(found, truth(chance), 0, bound, settings, chance)
        for _ in range(SIMULATIONS)
    ]
    real = simulate_review(found, crawl.bad[order], 0, bound, settings, chance)
    return Foretold(kind, max_error, simulated, real)


def looked_at_by_chance(crawl: Crawl, chance: np.random.Generator) -> Crawl:
    """A crawl whose reviewed masks are drawn from it, not from other photos."""
    rows = chance.permutation(len(crawl.bad))
    seen, left = rows[:REVIEWED], rows[REVIEWED:]
    return Crawl(
        crawl.doubt[left], crawl.bad[left], crawl.doubt[seen], crawl.bad[seen], forced=False
    )


def report(found: Iterable[Foretold]) -> Iterator[str]:
    """Markdown: by kind of crawl and count, how often within the span, and the median miss."""
    every = list(found)
    rows = [["crawls", "number", *COUNTS]]
    for kind in sorted({each.kind for each in every}):
        some = [each for each in every if each.kind == kind]
        rows.append([kind, str(len(some)), *(_cell(some, name) for name in COUNTS)])
    yield from markdown(rows)


def within(some: Iterable[Foretold], name: str) -> float:
    """Share of the crawls in which the truth is within the span."""
    inside = []
    for each in some:
        low, high = np.quantile([COUNTS[name](one) for one in each.simulated], (0.05, 0.95))
        inside.append(low <= COUNTS[name](each.real) <= high)
    return float(np.mean(inside))


def _cell(some: list[Foretold], name: str) -> str:
    misses = []
    for each in some:
        middle = float(np.median([COUNTS[name](one) for one in each.simulated]))
        misses.append(abs(COUNTS[name](each.real) - middle) / max(questions(each.real), 1))
    return f"{within(some, name):.0%}, {np.median(misses):.1%}"


def main() -> None:
    """Foretell and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path, nargs="?")
    parser.add_argument("--made", type=int, default=60)
    parser.add_argument("--real", type=int, default=60)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = np.random.default_rng(options.seed)
    crawls = [
        ("made", BOUNDS[turn % 3], ordinary(BOUNDS[turn % 3], SIZES[turn // 3 % 2], chance))
        for turn in range(options.made)
    ]
    if options.cache:
        data = options.shared / "data/eg1800"
        real = resampled(options.cache, data, 4 * options.real, chance)
        crawls += [
            (kind, max_error, looked_at_by_chance(crawl, chance))
            for kind, max_error, crawl in real
            if kind == "real, resampled" and len(crawl.bad) in SIZES[:2]
        ][: options.real]
    for line in report(foretell(*each, chance) for each in crawls):
        print(line, flush=True)


if __name__ == "__main__":
    main()
