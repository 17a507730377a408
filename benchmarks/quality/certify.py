"""Does `dataengine certify` keep its word, and what does it cost? A simulation with known truth.

    python -m benchmarks.quality.certify [CACHE] [--made 432] [--real 180] [--street 180]

Each crawl is certified as `certify` does it, by doubt, and by the method before, uniformly
(`uniform_audits`); after a failure another set, at half the alpha, up to four times. Three of four
made crawls are made to deceive: 1.0 to 1.2 times the bound of their masks are bad, and the whole
crawl is tried four times whatever the reviewed masks say (`known_crawls`). The real ones resample
EG1800 (CACHE of `benchmarks.quality`): score and reviewed masks come from one half of the photos,
the crawl from the other, groups of near-duplicates whole; those of the street are drawn from photos
that neither score nor networks have seen, with what the default second opinion says.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.masks import table as markdown
from benchmarks.quality import uniform_audits
from benchmarks.quality.known_crawls import (
    ALPHA,
    ATTEMPTS,
    BOUNDS,
    SIZES,
    Crawl,
    Outcome,
    made,
    resampled,
    resampled_street,
)
from pipelines.certify.certificate import upper_bound
from pipelines.certify.expectations import ranked
from pipelines.certify.simulating import run_attempts

METHODS = ("uniform, before", "by doubt")


def certify(crawl: Crawl, kind: str, max_error: float, chance: np.random.Generator) -> Outcome:
    """Run the procedure of today to its end."""
    among = np.sort(crawl.doubt)
    order = np.argsort(crawl.doubt, kind="stable")
    ranks, bad = ranked(crawl.doubt, among)[order], crawl.bad[order]
    seen = ranked(crawl.reviewed_doubt, among), crawl.reviewed_bad
    found = run_attempts(
        ranks, bad, seen, max_error, ALPHA, chance, most=ATTEMPTS, forced=crawl.forced
    )
    errors = int(bad[np.intersect1d(found.listed, found.audited)].sum())
    left_bad = int(bad[found.listed].sum()) - errors
    return Outcome(
        crawl,
        kind,
        max_error,
        found.number,
        len(found.audited),
        len(found.unseen) if found.certified else None,
        left_bad / max(len(found.listed) - errors, 1),
        left_bad if found.certified else 0,
    )


def both(
    crawls: Iterable[tuple[str, float, Crawl]], chance: np.random.Generator
) -> Iterator[tuple[str, Outcome]]:
    """Each crawl by each method."""
    for kind, max_error, crawl in crawls:
        yield METHODS[0], uniform_audits.certify(crawl, kind, max_error, chance)
        yield METHODS[1], certify(crawl, kind, max_error, chance)


def report(outcomes: list[tuple[str, Outcome]]) -> Iterator[str]:
    """Markdown: what was wrong, then what it cost."""
    yield from markdown(
        [["crawls", "number", *(f"certified, wrongly: {method}" for method in METHODS)]]
        + [[kind, str(len(some)), *cells] for kind, some, cells in _by_kind(outcomes)]
    )
    for method in METHODS:
        some = [each for by, each in outcomes if by == method and _deceives(each)]
        yield f"\nCertified and wrong, crawls at the bound, {method}: {_share(some)}"
    yield "\nAccepted unseen of all masks, and asked; means over all crawls, certified or not:\n"
    head = ["crawls", "bound", "method", *(f"{size:,} masks" for size in SIZES)]
    yield from markdown([head, *_costs(outcomes)])


def _by_kind(
    outcomes: list[tuple[str, Outcome]],
) -> Iterator[tuple[str, list[Outcome], list[str]]]:
    for kind in sorted({each.kind for _, each in outcomes}):
        cells, some = [], []
        for method in METHODS:
            some = [each for by, each in outcomes if (by, each.kind) == (method, kind)]
            wrong = sum(each.wrong for each in some)
            cells.append(f"{sum(each.certified for each in some)}, {wrong}")
        yield kind, some, cells


def _costs(outcomes: list[tuple[str, Outcome]]) -> Iterator[list[str]]:
    usual = sorted({each.kind for _, each in outcomes if not _deceives(each)}, reverse=True)
    for kind in usual:
        for max_error in BOUNDS:
            for method in METHODS:
                cells = []
                for size in SIZES:
                    some = [
                        each
                        for by, each in outcomes
                        if (by, each.kind, each.max_error, len(each.crawl.bad))
                        == (method, kind, max_error, size)
                    ]
                    cells.append(_cost(some))
                yield [kind, f"{max_error:.0%}", method, *cells]
            best = []
            for size in SIZES:
                crawls = [
                    each.crawl
                    for by, each in outcomes
                    if (by, each.kind, each.max_error, len(each.crawl.bad))
                    == (METHODS[0], kind, max_error, size)
                ]
                best.append(
                    f"{np.mean([_oracle(c, max_error) for c in crawls]):.0%}" if crawls else "–"
                )
            yield [kind, f"{max_error:.0%}", "who knew which are bad", *best]


def _cost(some: list[Outcome]) -> str:
    if not some:
        return "–"
    accepted = np.mean([each.accepted for each in some])
    asked = np.mean([each.asked for each in some])
    share = np.mean([each.asked / each.crawl.total for each in some])
    return f"{accepted:.0%}, asked {asked:,.0f} ({share:.1%})"


def _oracle(crawl: Crawl, max_error: float) -> float:
    """The most that a threshold may accept, for whoever knows the truth and asks nothing."""
    bad = np.cumsum(crawl.bad[np.argsort(crawl.doubt, kind="stable")])
    fine = np.flatnonzero(bad <= max_error * np.arange(1, len(bad) + 1))
    return float((fine[-1] + 1) / crawl.total) if len(fine) else 0.0


def _deceives(each: Outcome) -> bool:
    return "at the bound" in each.kind


def _share(some: list[Outcome]) -> str:
    if not some:
        return "none"
    wrong = sum(each.wrong for each in some)
    low = 1 - upper_bound(len(some) - wrong, len(some), 0.025)
    high = upper_bound(wrong, len(some), 0.025)
    return (
        f"{wrong} of {len(some)}, {wrong / len(some):.1%} (95 % interval {low:.1%} to {high:.1%})"
    )


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path, nargs="?", default=None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--made", type=int, default=432)
    parser.add_argument("--real", type=int, default=180)
    parser.add_argument("--street", type=int, default=180)
    options = parser.parse_args()
    chance = np.random.default_rng(0)
    outcomes = list(both(made(options.made, chance), chance))
    if options.cache is not None:
        data = options.shared / "data/eg1800"
        outcomes += both(resampled(options.cache, data, options.real, chance), chance)
        outcomes += both(resampled_street(options.cache, data, options.street, chance), chance)
    print(*report(outcomes), sep="\n")


if __name__ == "__main__":
    main()
