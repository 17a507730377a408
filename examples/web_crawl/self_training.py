"""Self-training on the web crawl in rounds of equal steps: with the gate, and without it.

    python -m examples.web_crawl.self_training --shared ../shared --collected collected --out rounds

A student labels the crawl's photos, the next one learns from that and from the hand masks, and so
on; each round begins with the weights of the round before and has as many steps as any other. In
the arm `all` every mask of the student counts, in `gated` those that the engine's second opinion,
the teacher, sees as the student does: at most 5 % of their union is seen by one of them alone. In
`human` nothing is labelled, and the same steps are spent on the hand masks. All three begin with
the same student, whom hand masks alone have taught (`students`). Interrupted, the same command goes
on. Results: `scores.json`, `table.md`, and the curves in `curves.png`.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

import matplotlib as mpl

from examples.eg1800_rounds import dataengine
from examples.web_crawl.students import (
    HUMAN,
    RECIPE,
    SETS,
    Plan,
    Scores,
    data_of,
    evaluate,
    gain,
)
from pipelines.masks.agreement import disagreement
from sinet.errors import PictureError
from sinet.pictures.decode import decode_grey
from sinet.pictures.fitting import refuse_inverted
from sinet.pictures.threshold import is_person

EVERY, GATED = "all", "gated"
ARMS: Final = (HUMAN, EVERY, GATED)
MOST_DISAGREEMENT = 0.05


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """What is trained, and where.

    Attributes:
        plan: folders, and how students are scored.
        first: weights of the student that all arms begin with.
        rounds: of each arm.
        steps: of each round.
        limit: photos of the crawl; None: all.
    """

    plan: Plan
    first: Path
    rounds: int = 3
    steps: int = 1000
    limit: int | None = None


def run(rounds: Rounds) -> dict[str, Scores]:
    """Train and score whatever is missing; scores by arm and round, `first` before all."""
    out = rounds.plan.out
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "scores.json"
    scores: dict[str, Scores] = json.loads(kept.read_text()) if kept.exists() else {}
    before = dict.fromkeys(ARMS, rounds.first)
    turns = [(number, arm) for number in range(1, rounds.rounds + 1) for arm in ARMS]
    for number, arm in [(0, "first"), *turns]:
        name = f"{arm}-{number}" if number else arm
        weights = rounds.first
        if number:
            weights = before[arm] = train(rounds, arm, number, before[arm])
        if name not in scores:
            scores[name] = evaluate(str(weights), rounds.plan)
            kept.write_text(json.dumps(scores) + "\n")
        (out / "table.md").write_text(table(scores, rounds))
    draw(scores, rounds)
    return scores


def train(rounds: Rounds, arm: str, number: int, before: Path) -> Path:
    """One round of an arm; the weights of its end."""
    out = rounds.plan.out / f"{arm}-{number}"
    weights = out / "last.safetensors"
    if not (out / "done").exists():
        data = data_of(rounds.plan, HUMAN)
        if arm != HUMAN:
            data.append(labelled(rounds, arm, number, before))
        words = [word for folder in data for word in ("--data", str(folder))]
        resume = (out / "resume.pt").exists()
        start = ["--resume"] if resume else ["--init", str(before)]
        recipe = ("--config", str(RECIPE), "--steps", str(rounds.steps), "--epochs", "5")
        run_options = ("--seed", str(number), "--out", str(out), *rounds.plan.options)
        print(dataengine(None, "train", *words, *recipe, *run_options, *start), flush=True)
        (out / "done").touch()
    return weights


def labelled(rounds: Rounds, arm: str, number: int, student: Path) -> Path:
    """The crawl with the student's masks, all of them or those that pass."""
    raw = rounds.plan.collected / "raw"
    folder = rounds.plan.out / f"data-{arm}-{number}"
    names = (raw / "train.txt").read_text().split()[: rounds.limit]
    images, masks = folder / "images", folder / "masks"
    images.mkdir(parents=True, exist_ok=True)
    if not (folder / "train.txt").exists():
        for name in names:
            photo = images / f"{name}.jpg"
            if not photo.exists():
                photo.symlink_to(raw / "images" / photo.name)
        masked = ("predict", str(student), str(images), "--out", str(masks), "--threshold", "0.5")
        dataengine(None, *masked)
        passed = [name for name in names if _passes(arm, masks, raw / "masks", name)]
        (folder / "train.txt").write_text("".join(f"{name}\n" for name in passed))
    return folder


def _passes(arm: str, students: Path, teachers: Path, name: str) -> bool:
    """Whether a mask counts; in any arm not if `train` would refuse it, as white around a hole."""
    own, teacher = (
        is_person(decode_grey((folder / f"{name}.png").read_bytes()))
        for folder in (students, teachers)
    )
    try:
        refuse_inverted(own)
    except PictureError:
        return False
    if arm == EVERY:
        return True
    return bool(own.any()) and disagreement(own, teacher.astype("float32")) <= MOST_DISAGREEMENT


def table(scores: dict[str, Scores], rounds: Rounds) -> str:
    """Native IoU by round, and what each arm adds to the hand masks alone."""
    lines = [f"| round | arm | masks of the crawl | {' | '.join(SETS)} |"]
    lines.append("|---:|---|---:|" + "---:|" * len(SETS))
    first = scores["first"]
    lines.append(f"| 0 | all begin with it | – | {_levels(first)} |")
    for number in range(1, rounds.rounds + 1):
        for arm in ARMS:
            if found := scores.get(f"{arm}-{number}"):
                learnt = rounds.plan.out / f"data-{arm}-{number}/train.txt"
                masks = f"{len(learnt.read_text().split()):,}" if learnt.exists() else "–"
                lines.append(f"| {number} | {arm} | {masks} | {_levels(found)} |")
    for number in range(1, rounds.rounds + 1):
        for more, less in ((EVERY, HUMAN), (GATED, HUMAN), (GATED, EVERY)):
            found, other = scores.get(f"{more}-{number}"), scores.get(f"{less}-{number}")
            if found and other:
                cells = " | ".join(gain([found], [other], name) for name in SETS)
                lines.append(f"| {number} | {more} − {less} | | {cells} |")
    return "\n".join(lines) + "\n"


def _levels(found: Scores) -> str:
    return " | ".join(f"{100 * mean(found[name]['native_iou'].values()):.2f}" for name in SETS)


def draw(scores: dict[str, Scores], rounds: Rounds) -> Path:
    """Curves of native IoU by round, a panel a set; where they are."""
    mpl.use("Agg")
    from matplotlib import pyplot

    size, many = (3.2 * len(SETS), 3.2), len(SETS)
    figure, panels = pyplot.subplots(1, many, figsize=size, layout="constrained", squeeze=False)
    for panel, name in zip(panels[0], SETS, strict=True):
        for arm, colour, mark in zip(ARMS, ("#888888", "#dd8452", "#4c72b0"), "osD", strict=True):
            students = [scores["first"]]
            students += [scores[f"{arm}-{number}"] for number in range(1, rounds.rounds + 1)]
            levels = [100 * mean(each[name]["native_iou"].values()) for each in students]
            panel.plot(range(len(levels)), levels, color=colour, marker=mark, ms=5, label=arm)
        panel.set(title=name, xlabel="round", xticks=range(rounds.rounds + 1))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("native IoU, %")
    panels[0, -1].legend(frameon=False, loc="lower right")
    path = rounds.plan.out / "curves.png"
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--collected", type=Path, default=Path("collected"))
    parser.add_argument("--students", type=Path, default=Path("students"))
    parser.add_argument("--out", type=Path, default=Path("rounds"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args(arguments)
    plan = Plan(options.shared.resolve(), options.collected.resolve(), options.out.resolve())
    first = options.students.resolve() / f"{HUMAN}-0/last.safetensors"
    run(Rounds(plan=plan, first=first, rounds=options.rounds, steps=options.steps))
    print((plan.out / "table.md").read_text(), end="")


if __name__ == "__main__":
    main()
