"""Train the students of the comparison, score them, and write the table.

    python -m examples.web_crawl.students --shared ../shared --collected collected --out students

Of every kind of data three students are trained, which differ in their seed alone: hand masks; hand
masks and the teacher's masks as they are (`raw`); hand masks and those that passed the engine
(`trusted`). Other `--kinds`: `unchecked`, all of the engine's masks, whatever was found of them;
`reviewed`, after `review`, also those of whose doubtful masks people said which are good.
`--leave-out` trains one more, without a source of the crawl. Interrupted, the same command goes on;
what has been trained and scored is not done again. Results: `scores.json` and `table.md`; the
intervals are paired bootstraps over images, of each image's mean over the seeds.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from examples.eg1800_rounds import dataengine
from sinet.metrics import paired_bootstrap

RECIPE = Path(__file__).with_name("student.toml")
SETS = {"val.txt": "eg1800", "street": "webval/street", "faces": "webval/faces"}
METRICS = ("native_iou", "boundary_f1")
HUMAN, RAW, UNCHECKED, TRUSTED, REVIEWED = "human", "raw", "unchecked", "trusted", "reviewed"

PAIRS = (
    (RAW, HUMAN),
    (TRUSTED, HUMAN),
    (TRUSTED, RAW),
    (UNCHECKED, RAW),
    (TRUSTED, UNCHECKED),
    (REVIEWED, HUMAN),
    (REVIEWED, RAW),
    (REVIEWED, TRUSTED),
)
"""Of kinds that are compared."""

Scores = dict[str, dict[str, dict[str, float]]]
"""By set, metric and image."""


@dataclass(frozen=True)
class Plan:
    """What is trained, and where.

    Attributes:
        shared: folder of the reference data.
        collected: what `collect` made.
        out: folder of the runs and of the results.
        kinds: of students.
        seeds: of each kind.
        left_out: sources of the crawl, each left out of one more student.
        options: more of `dataengine train`, for all.
        limit: images of each set that is scored; None: all.
        human: data set with hand masks; None: EG1800.
    """

    shared: Path
    collected: Path
    out: Path
    kinds: Sequence[str] = (HUMAN, RAW, TRUSTED)
    seeds: Sequence[int] = (0, 1, 2)
    left_out: Sequence[str] = ()
    options: Sequence[str] = ()
    limit: int | None = None
    human: Path | None = None

    def students(self) -> list[tuple[str, int]]:
        """Kind and seed of each, in an order in which the first answers come early."""
        kinds = [(kind, seed) for seed in self.seeds for kind in self.kinds]
        return [*kinds, *((without(source), self.seeds[0]) for source in self.left_out)]


def without(source: str) -> str:
    """Kind of a student that has not seen a source of the crawl."""
    return f"{TRUSTED} without {source}"


def run(plan: Plan) -> dict[str, Scores]:
    """Train and score whatever is missing; scores by student."""
    plan.out.mkdir(parents=True, exist_ok=True)
    kept = plan.out / "scores.json"
    scores: dict[str, Scores] = json.loads(kept.read_text()) if kept.exists() else {}
    for kind, seed in plan.students():
        name = f"{kind.replace(' ', '-')}-{seed}"
        weights = train(plan, kind, seed, plan.out / name)
        if name not in scores:
            scores[name] = evaluate(str(weights), plan)
            kept.write_text(json.dumps(scores) + "\n")
        (plan.out / "table.md").write_text(table(scores, plan))
    return scores


def train(plan: Plan, kind: str, seed: int, out: Path) -> Path:
    """Train a student, or go on; the weights of the end."""
    weights = out / "last.safetensors"
    if not (out / "done").exists():
        resume = ["--resume"] if (out / "resume.pt").exists() else []
        data = [word for folder in data_of(plan, kind) for word in ("--data", str(folder))]
        options = ("--config", str(RECIPE), "--seed", str(seed), "--out", str(out), *plan.options)
        print(dataengine(None, "train", *data, *options, *resume), flush=True)
        (out / "done").touch()
    return weights


def data_of(plan: Plan, kind: str) -> list[Path]:
    """The data sets that a kind of student learns from."""
    human = plan.human or plan.shared / "data/eg1800"
    if kind == HUMAN:
        return [human]
    if kind in (RAW, UNCHECKED, TRUSTED, REVIEWED):
        return [human, plan.collected / kind]
    source = kind.removeprefix(without(""))
    every, rest = plan.collected / TRUSTED, plan.out / f"data-without-{source}"
    rest.mkdir(parents=True, exist_ok=True)
    for folder in ("images", "masks"):
        if not (rest / folder).exists():
            (rest / folder).symlink_to(every / folder)
    names = (every / "train.txt").read_text().splitlines()
    # A source of several years is a repository each: djc18, djc19, djc22.
    of_source = re.compile(rf"{re.escape(source)}\d*_")
    kept = [name for name in names if not of_source.match(name)]
    (rest / "train.txt").write_text("".join(f"{name}\n" for name in kept))
    return [human, rest]


def evaluate(network: str, plan: Plan) -> Scores:
    """A network's scores, image by image."""
    limit = [] if plan.limit is None else ["--limit", str(plan.limit)]
    found = {}
    for name, folder in SETS.items():
        data = ("--data", str(plan.shared / "data" / folder))
        said: dict[str, Any] = json.loads(
            dataengine(None, "evaluate", network, *data, *limit, "--json")
        )
        found[name] = {
            metric: {image: each[metric] for image, each in said["by_image"].items()}
            for metric in METRICS
        }
    return found


def table(scores: dict[str, Scores], plan: Plan) -> str:
    """Means of every kind, and what each kind adds to the one before it."""
    lines = [f"| learnt from | {' | '.join(SETS)} |", "|---|" + "---:|" * len(SETS)]
    of_kind = {
        kind: [each for seed in plan.seeds if (each := scores.get(f"{kind}-{seed}"))]
        for kind in plan.kinds
    }
    for kind, found in of_kind.items():
        if found:
            lines.append(f"| {kind} | {' | '.join(_level(found, name) for name in SETS)} |")
    for more, less in PAIRS:
        if of_kind.get(more) and of_kind.get(less):
            cells = (gain(of_kind[more], of_kind[less], name) for name in SETS)
            lines.append(f"| {more} − {less} | {' | '.join(cells)} |")
    whole = [scores[first] for first in [f"{TRUSTED}-{plan.seeds[0]}"] if first in scores]
    for left in plan.left_out:
        kind = without(left)
        poorer = scores.get(f"{kind.replace(' ', '-')}-{plan.seeds[0]}")
        if whole and poorer:
            cells = (gain([poorer], whole, name) for name in SETS)
            lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _level(students: Sequence[Scores], name: str) -> str:
    """Mean native IoU over images and seeds, and the range of the seeds."""
    means = [100 * mean(each[name]["native_iou"].values()) for each in students]
    return f"{mean(means):.2f} ({min(means):.2f} to {max(means):.2f})"


def gain(more: Sequence[Scores], less: Sequence[Scores], name: str) -> str:
    """The difference in native IoU with its interval, in points."""
    images = sorted(more[0][name]["native_iou"])

    def over_seeds(students: Sequence[Scores]) -> list[float]:
        return [mean(each[name]["native_iou"][image] for each in students) for image in images]

    gain = paired_bootstrap(over_seeds(more), over_seeds(less))
    return f"{100 * gain.difference:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f})"


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--collected", type=Path, default=Path("collected"))
    parser.add_argument("--out", type=Path, default=Path("students"))
    kinds = (HUMAN, RAW, UNCHECKED, TRUSTED, REVIEWED)
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=[HUMAN, RAW, TRUSTED])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="of each student instead of the recipe's")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="SOURCE")
    options = parser.parse_args()
    steps = ["--steps", str(options.steps)] if options.steps else []
    folders = (options.shared.resolve(), options.collected.resolve(), options.out.resolve())
    plan = Plan(*folders, options.kinds, options.seeds, options.leave_out, steps)
    run(plan)
    print((plan.out / "table.md").read_text(), end="")


if __name__ == "__main__":
    main()
