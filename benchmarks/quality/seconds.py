"""What a trusted portrait costs people, before and after: the figure at the head of quality.md.

    python -m benchmarks.quality.seconds CACHE --shared ../shared --out docs/quality/seconds.png

CACHE is what `benchmarks.quality.collect` left. Crawls of 10,000 masks are drawn from the photos of
`webval/street`, from which no network of ours has learnt; 600 masks more were reviewed by chance.
Before and after are certified at the same bound: whoever is not accepted unseen is looked at, what
is bad there is fixed to an IoU of 0.95, what is good is accepted. Before: a score of the teacher
alone, audits drawn uniformly, Label Studio's own keys and brush. After: the default second opinion,
audits by doubt, our keys, and clicks. The person is the keystroke-level model in both
(`benchmarks.screen`): `person`. What the screen takes (`--waits`) was measured there.
"""

import argparse
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from benchmarks import screen
from benchmarks.clicks import GOALS, by_clicks, by_strokes, needed, read_case
from benchmarks.quality import certify, uniform_audits
from benchmarks.quality.known_crawls import REVIEWED, Crawl, Outcome
from benchmarks.quality.opinions import street_doubts
from pipelines.masks.second_looks import STUDENT, VIEW
from sinet.clicks.mending import Mender
from sinet.data import find_samples

MAX_ERROR, SIZE, CRAWLS = 0.02, 10_000, 20
WAITS = (0.75, 0.78, 0.55)
"""Seconds of the screen as `benchmarks.screen` measured them on a quiet machine: from sending until
the next task in Label Studio's own screen (before), in ours (after), and a click's answer there."""
Certify = Callable[[Crawl, str, float, np.random.Generator], Outcome]


@dataclass(frozen=True)
class Cost:
    """Of a trusted portrait, in seconds or shares.

    Attributes:
        looking: seconds, at masks that are accepted as they are.
        fixing: seconds, of masks that are not.
        waiting: seconds, for the screen.
        looked_at: share of all masks that somebody saw.
        fixed: share of all masks.
    """

    looking: float
    fixing: float
    waiting: float
    looked_at: float
    fixed: float

    @property
    def person(self) -> float:
        """Seconds that the person is busy."""
        return self.looking + self.fixing

    @property
    def total(self) -> float:
        """Seconds, waiting included."""
        return self.person + self.waiting


@dataclass(frozen=True)
class Way:
    """Of reviewing.

    Attributes:
        name: of it.
        doubt: of each photo's mask, by its score.
        certify: how a crawl is certified.
        accept: keys.
        fix: keys of each bad mask's fix.
        wait: seconds of the screen for a decision.
        wait_click: for a click.
    """

    name: str
    doubt: NDArray[np.float64]
    certify: Certify
    accept: Sequence[str]
    fix: Sequence[Sequence[str]]
    wait: float
    wait_click: float = 0.0

    def cost(self, outcomes: Sequence[Outcome]) -> Cost:
        """Means over crawls."""
        total = sum(each.crawl.total for each in outcomes)
        looks = total - sum(each.unseen or 0 for each in outcomes)
        bad = sum(int(each.crawl.bad.sum() + each.crawl.reviewed_bad.sum()) for each in outcomes)
        fixes = bad - sum(each.left_bad for each in outcomes)
        a_fix = float(np.mean([screen.person(keys) for keys in self.fix]))
        clicks = float(np.mean([list(keys).count("click") for keys in self.fix]))
        return Cost(
            looking=(looks - fixes) * screen.person(self.accept) / total,
            fixing=fixes * a_fix / total,
            waiting=(looks * self.wait + fixes * clicks * self.wait_click) / total,
            looked_at=looks / total,
            fixed=fixes / total,
        )


def fixes(cache: Path, shared: Path, bad: Collection[str]) -> tuple[list[int], list[int]]:
    """Strokes, and clicks, that each bad mask, by its name, takes to an IoU of 0.95."""
    mender, strokes, clicks = Mender(), [], []
    for sample in find_samples(shared / "data/webval/street"):
        if sample.name not in bad:
            continue
        case = read_case(sample, cache / "street" / f"{sample.name}.npz")
        if case is None:
            continue
        by_network = partial(mender.mend, mender.canvas(case.picture))
        strokes.append(needed(by_strokes(case, case.proposed), GOALS[0]))
        clicks.append(needed(by_clicks(case, case.proposed, by_network), GOALS[0]))
    return strokes, clicks


def measure(ways: Sequence[Way], bad: NDArray[np.bool_], chance: np.random.Generator) -> list[Cost]:
    """Each way on the same crawls."""
    outcomes: list[list[Outcome]] = [[] for _ in ways]
    for _ in range(CRAWLS):
        drawn, reviewed = (chance.integers(0, len(bad), size) for size in (SIZE, REVIEWED))
        for way, found in zip(ways, outcomes, strict=True):
            crawl = Crawl(
                way.doubt[drawn], bad[drawn], way.doubt[reviewed], bad[reviewed], forced=False
            )
            found.append(way.certify(crawl, "street", MAX_ERROR, chance))
    return [way.cost(found) for way, found in zip(ways, outcomes, strict=True)]


def draw(names: Sequence[str], costs: Sequence[Cost], out: Path) -> None:
    """Bars: seconds of a trusted portrait, by what they are spent on."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 2.3), layout="constrained")
    left = np.zeros(len(costs))
    for part, colour in (("looking", "#4c72b0"), ("fixing", "#dd8452"), ("waiting", "#bbbbbb")):
        values = np.array([getattr(each, part) for each in costs])
        axes.barh(names, values, left=left, color=colour, label=part)
        for row, (start, value) in enumerate(zip(left, values, strict=True)):
            if value > 0.08:
                axes.text(start + value / 2, row, f"{value:.2f}", ha="center", va="center")
        left += values
    for row, each in enumerate(costs):
        axes.text(each.total + 0.03, row, f"{each.total:.2f} s", va="center", weight="bold")
    axes.set_xlim(0, max(left) * 1.15)
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds a trusted portrait, at most {MAX_ERROR:.0%} bad")
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.45, 1.28), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=110)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--waits", type=float, nargs=3, default=WAITS, metavar=("BEFORE", "AFTER", "CLICK")
    )
    options = parser.parse_args()
    data = options.shared / "data/eg1800"
    bad, names, (alone, beside) = street_doubts(options.cache, data, (VIEW, STUDENT), (VIEW,))
    bad_names = {name for name, is_bad in zip(names, bad, strict=True) if is_bad}
    strokes, clicks = fixes(options.cache, options.shared, bad_names)
    before, after, click = options.waits
    ways = (
        Way(
            "before", alone, uniform_audits.certify, ("a", "Control+Enter"),
            [("f", *["stroke"] * number, "Control+Enter") for number in strokes], before,
        ),
        Way(
            "after", beside, certify.certify, ("a",),
            [(*["s", "click"] * number, "Enter") for number in clicks], after, click,
        ),
    )  # fmt: skip
    print(
        f"{len(clicks)} bad masks: {np.mean(strokes):.2f} strokes, {np.mean(clicks):.2f} clicks; "
        f"by the model {np.mean([screen.person(keys) for keys in ways[0].fix]):.1f} s and "
        f"{np.mean([screen.person(keys) for keys in ways[1].fix]):.1f} s"
    )
    costs = measure(ways, bad, np.random.default_rng(0))
    for way, cost in zip(ways, costs, strict=True):
        print(
            f"{way.name}: {cost.total:.2f} s a trusted portrait ({cost.looking:.2f} looking, "
            f"{cost.fixing:.2f} fixing, {cost.waiting:.2f} waiting); {cost.looked_at:.1%} looked "
            f"at, {cost.fixed:.1%} fixed"
        )
    print(
        f"after / before: {costs[1].total / costs[0].total:.2f}, without waiting "
        f"{costs[1].person / costs[0].person:.2f}"
    )
    if options.out is not None:
        draw([way.name for way in ways], costs, options.out)


if __name__ == "__main__":
    main()
