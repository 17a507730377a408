"""What a student learns from so many decisions, by the order in which they were asked for.

    python -m benchmarks.quality.questions CACHE [--shared ../shared] [--picture OUT.png]
    python -m benchmarks.quality.questions --cost

The crawl is `train.txt` of EG1800, less what has a near-duplicate in `val.txt`, with the masks of a
teacher (MediaPipe's selfie network). Its first 50 questions are drawn at random, and a student
learns from the answers; each order then asks on, in three pushes up to 400. A reviewer accepts a
mask with an IoU of 0.90 or more with the hand mask, and otherwise fixes it: then the hand mask is
learnt.

Every student goes on from the one after 50 decisions, with the same number of steps whatever there
is to learn: the curve shows decisions, not training. What an order knows is what it would know in a
workspace: the teacher's probabilities, the current student, and the decisions so far. Each student
is kept in CACHE and never trained twice; with all of them there, only the tables are made. `--cost`
prints how long the choice itself takes, on synthetic features.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.masks import iou
from benchmarks.quality.data import photos, read_mask, read_rgb
from pipelines.masks.boundary import band_entropy
from pipelines.masks.confidence import expected_iou, mean_confidence
from pipelines.networks import load_network, parse_network
from pipelines.networks.features import widest
from pipelines.review.diversity import most_informative
from sinet.data.listing import find_samples
from sinet.losses.total import LossWeights, targets_of, total_loss
from sinet.networks import SegmentationNetwork, build_network

BUDGETS: Final = (50, 100, 200, 400)
ORDERS: Final = ("random", "uncertain", "disagreement", "doubtful", "informative")
SEEDS: Final = (0, 1, 2)
KEPT_PX, SIDE_PX, BATCH = 80, 64, 16
FIRST_STEPS, STEPS = 1000, 500
RATE: Final = 3e-3
GOOD: Final = 0.90
TEACHER: Final = "weights/mediapipe_selfie.onnx"
SIGNALS: Final = ("confidence", "entropy", "expected")
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Crawl:
    """The portraits that are asked about, and those that measure.

    Attributes:
        images: uint8 (N, 80, 80, 3); masks: bool (N, 80, 80), what is learnt once decided.
        proposed: bool (N, 80, 80), the teacher's masks.
        bad: (N,), the teacher's mask would be fixed.
        signals: (N, 3), of the teacher's probabilities: see `SIGNALS`.
        groups: (N,), of near-duplicates.
        tests: by name: images and hand masks, at 64 pixels.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    proposed: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    signals: NDArray[np.float64]
    groups: NDArray[np.int64]
    tests: dict[str, tuple[NDArray[np.uint8], NDArray[np.bool_]]]


def small(rgb: NDArray[Any], side: int) -> NDArray[Any]:
    """A square copy."""
    return np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA))


def small_mask(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """A square copy, cut at one half."""
    return small(mask.astype(np.float32), side) > 0.5


def collect(shared: Path, file: Path) -> Crawl:
    """Ask the teacher about every portrait once; what it said is kept in a file."""
    if not file.exists():
        teacher = load_network(parse_network(f"onnx:{shared / TEACHER}"), device="cpu")
        known = photos(shared / "data/eg1800", file.with_name("hashes.json"))
        measuring = {each.group for each in known if each.split == "val"}
        rows: dict[str, list[Any]] = {
            name: [] for name in ("images", "masks", "proposed", "bad", "signals", "groups")
        }
        for photo in known:
            if photo.split == "val" or photo.group in measuring:
                continue
            rgb, hand = read_rgb(photo.sample.image), read_mask(photo.sample.mask)
            probability = teacher.person_probability([rgb])[0]
            mask = probability > 0.5
            is_bad = iou(mask, hand) < GOOD
            rows["images"].append(small(rgb, KEPT_PX))
            rows["masks"].append(small_mask(hand if is_bad else mask, KEPT_PX))
            rows["proposed"].append(small_mask(mask, KEPT_PX))
            rows["bad"].append(is_bad)
            rows["groups"].append(photo.group)
            rows["signals"].append([
                mean_confidence(probability),
                band_entropy(mask, probability, 7),
                expected_iou(mask, probability),
            ])  # fmt: skip
        for name, folder in (("val", "eg1800"), ("street", "webval/street")):
            samples = find_samples(shared / "data" / folder, "val")
            rows[f"{name}_images"] = [small(read_rgb(each.image), SIDE_PX) for each in samples]
            rows[f"{name}_masks"] = [small_mask(read_mask(each.mask), SIDE_PX) for each in samples]
        partial = file.with_suffix(".partial.npz")
        # Any: for the type checker one of the names might be that of an option.
        stacked: dict[str, Any] = {name: np.stack(row) for name, row in rows.items()}
        np.savez_compressed(partial, **stacked)
        partial.replace(file)
    kept = np.load(file)
    tests = {name: (kept[f"{name}_images"], kept[f"{name}_masks"]) for name in ("val", "street")}
    own = {name: kept[name] for name in kept.files if not name.startswith(tuple(tests))}
    return Crawl(**own, tests=tests)


def planes(images: NDArray[np.uint8]) -> Tensor:
    """Normalised float32 (N, 3, H, W)."""
    found = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    return (found - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]


def augmented(images: Tensor, masks: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Flipped, turned by up to 15°, at 0.8 to 1.25 times the size, moved by up to a tenth."""
    number = len(images)

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(number, generator=chance)

    turn, scale = draw(-0.26, 0.26), draw(0.8, 1.25)
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cosine, sine = torch.cos(turn) / scale, torch.sin(turn) / scale
    matrix = torch.stack(
        [
            torch.stack([cosine * flip, -sine, draw(-0.1, 0.1)], 1),
            torch.stack([sine * flip, cosine, draw(-0.1, 0.1)], 1),
        ],
        1,
    )
    grid = functional.affine_grid(matrix, [number, 3, SIDE_PX, SIDE_PX], align_corners=False)
    light = draw(0.8, 1.2)[:, None, None, None]
    shown = functional.grid_sample(images * light, grid, padding_mode="border", align_corners=False)
    label = functional.grid_sample(masks[:, None], grid, align_corners=False)[:, 0] > 0.5
    return shown, label.to(torch.uint8)


def train(
    crawl: Crawl, decided: Sequence[int], seed: int, first: nn.Module | None
) -> SegmentationNetwork:
    """A student of what people decided: from random weights, or from an earlier student."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    student = build_network("sinet").to(memory_format=torch.channels_last)
    if first is not None:
        student.load_state_dict(first.state_dict())
    steps = FIRST_STEPS if first is None else STEPS
    optimiser = torch.optim.AdamW(student.parameters(), RATE, weight_decay=1e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    images = planes(crawl.images[list(decided)])
    masks = torch.from_numpy(crawl.masks[list(decided)]).float()
    student.train()
    order = torch.zeros(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < BATCH:
            order = torch.cat([order, torch.randperm(len(images), generator=chance)])
        places, order = order[:BATCH], order[BATCH:]
        shown, labels = augmented(images[places], masks[places], chance)
        logits = student.training_logits(shown.to(memory_format=torch.channels_last))
        loss = total_loss(logits, targets_of(labels, student.strides), LossWeights(coarse=0.5))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        rate.step()
    return student.eval()


@torch.inference_mode()
def ask(student: nn.Module, images: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The student's masks, bool (N, H, W), and its features, float32 (N, C)."""
    maps: list[Tensor] = []
    handle = widest(student).register_forward_pre_hook(
        lambda _, inputs: maps.append(inputs[0].mean(dim=(2, 3)))
    )
    masks = [
        student(planes(images[start : start + BATCH])).argmax(1).bool()
        for start in range(0, len(images), BATCH)
    ]
    handle.remove()
    return torch.cat(masks).numpy(), torch.cat(maps).numpy()


def tested(student: nn.Module, crawl: Crawl) -> dict[str, float]:
    """Mean IoU with the hand masks, by test set."""
    found = {}
    for name, (images, hands) in crawl.tests.items():
        masks, _ = ask(student, images)
        found[name] = float(np.mean([iou(*pair) for pair in zip(masks, hands, strict=True)]))
    return found


def asked(
    order: str, crawl: Crawl, decided: Sequence[int], student: nn.Module, number: int, seed: int
) -> list[int]:
    """Who is asked about next: places in the crawl."""
    left = np.setdiff1d(np.arange(len(crawl.bad)), decided)
    masks, features = ask(student, crawl.images)
    pairs = zip(masks, crawl.proposed, strict=True)
    disagreement = np.array([1 - iou(*pair) for pair in pairs])
    if order == "random":
        return list(np.random.default_rng(seed).permutation(left)[:number])
    if order == "uncertain":
        return list(left[np.argsort(crawl.signals[left, 0], kind="stable")[:number]])
    if order == "disagreement":
        return list(left[np.argsort(-disagreement[left], kind="stable")[:number]])
    # The combined score: fitted on the decisions, as soon as there are both kinds.
    doubt = disagreement
    if 0 < crawl.bad[decided].sum() < len(decided):
        seen = np.column_stack([crawl.signals, disagreement])
        fit = make_pipeline(StandardScaler(), LogisticRegression())
        doubt = fit.fit(seen[decided], crawl.bad[decided]).predict_proba(seen)[:, 1]
    if order == "doubtful":
        return list(left[np.argsort(-doubt[left], kind="stable")[:number]])
    chosen = most_informative(
        doubt[left], features[left], crawl.groups[left], features[decided], number
    )
    return list(left[chosen])


def run(crawl: Crawl, order: str, seed: int, cache: Path, say: Callable[[str], None]) -> None:
    """One order, up to the last budget; what is there already is read."""
    decided = list(np.random.default_rng(100 + seed).permutation(len(crawl.bad))[: BUDGETS[0]])
    first = kept(cache / f"first-{seed}", crawl, decided, seed, None, say)
    student = first
    for before, budget in pairwise(BUDGETS):
        random_share = -(-(budget - before) // 10)
        chance = np.random.default_rng(1000 * seed + budget)
        left = np.setdiff1d(np.arange(len(crawl.bad)), decided)
        # The share that chance draws whatever the order, as every push does.
        decided += list(chance.permutation(left)[:random_share])
        number = budget - before - random_share
        decided += asked(order, crawl, decided, student, number, 1000 * seed + budget + 1)
        student = kept(cache / f"{order}-{seed}-{budget}", crawl, decided, seed, first, say)


def kept(
    path: Path,
    crawl: Crawl,
    decided: Sequence[int],
    seed: int,
    first: nn.Module | None,
    say: Callable[[str], None],
) -> SegmentationNetwork:
    """A student from its file, or trained, tested and written."""
    weights, record = path.with_suffix(".pt"), path.with_suffix(".json")
    if record.exists():
        student = build_network("sinet")
        student.load_state_dict(torch.load(weights, weights_only=True))
        return student.eval()
    student = train(crawl, decided, seed, first)
    torch.save(student.state_dict(), weights)
    found = {
        **tested(student, crawl),
        "decided": len(decided),
        "bad": int(crawl.bad[list(decided)].sum()),
    }
    record.write_text(json.dumps(found))
    say(f"{path.name}: {found}")
    return student


def curves(cache: Path, test: str) -> dict[str, NDArray[np.float64]]:
    """By order the IoU (seeds, budgets); orders that are not complete are left out."""
    found = {}
    for order in ORDERS:
        names = [
            [f"first-{seed}", *(f"{order}-{seed}-{budget}" for budget in BUDGETS[1:])]
            for seed in SEEDS
        ]
        files = [[cache / f"{name}.json" for name in row] for row in names]
        if all(file.exists() for row in files for file in row):
            found[order] = np.array(
                [[json.loads(file.read_text())[test] for file in row] for row in files]
            )
    return found


def table(cache: Path, test: str) -> str:
    """Markdown: mean IoU over the seeds, and the lowest and highest of the last."""
    lines = [
        f"| {test} | " + " | ".join(f"{budget}" for budget in BUDGETS) + " |",
        "|---" * (len(BUDGETS) + 1) + "|",
    ]
    for order, values in curves(cache, test).items():
        cells = [f"{low:.3f} ({row.min():.3f} to {row.max():.3f})"
                 for low, row in zip(values.mean(0), values.T, strict=True)]  # fmt: skip
        lines.append(f"| {order} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(cache: Path, file: Path) -> None:
    """The curves: mean, and every seed as a thin line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = {"val": "EG1800 val.txt", "street": "webval/street"}
    figure, axes = pyplot.subplots(1, len(titles), figsize=(9, 3.4), layout="constrained")
    for axis, (test, title) in zip(axes, titles.items(), strict=True):
        for number, (order, values) in enumerate(curves(cache, test).items()):
            colour = f"C{number}"
            axis.plot(BUDGETS, values.mean(0), color=colour, label=order, marker="o", markersize=3)
            axis.plot(BUDGETS, values.T, color=colour, linewidth=0.5, alpha=0.5)
        axis.set(title=title, xlabel="decisions", ylabel="IoU of the student", xscale="log")
        axis.set_xticks(BUDGETS, [str(each) for each in BUDGETS], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(file, dpi=110)


def print_cost() -> None:
    """Markdown: CPU seconds of the choice, by portraits and questions."""
    questions = (100, 500, 2000)
    print("| portraits | " + " | ".join(f"{each:,} questions" for each in questions) + " |")
    print("|---" * (len(questions) + 1) + "|")
    chance = np.random.default_rng(0)
    for number in (1_000, 10_000, 100_000):
        features = chance.normal(size=(number, 144)).astype(np.float32)
        doubt, groups = chance.beta(1, 5, number), np.arange(number) // 3
        cells = []
        for asked_for in questions:
            started = time.process_time()
            most_informative(doubt, features, groups, features[:200], min(asked_for, number))
            cells.append(f"{time.process_time() - started:.2f} s")
        print(f"| {number:,} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Train what is missing; print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path, nargs="?")
    parser.add_argument("--cost", action="store_true", help="of the choice alone")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=ORDERS)
    parser.add_argument("--picture", type=Path, default=None)
    options = parser.parse_args()
    if options.cost:
        print_cost()
        return
    if options.cache is None:
        parser.error("name the folder CACHE, or --cost")
    torch.set_num_threads(1)
    options.cache.mkdir(parents=True, exist_ok=True)
    crawl = collect(options.shared, options.cache / "crawl.npz")
    print(f"{len(crawl.bad)} portraits, {crawl.bad.mean():.3f} of the masks bad", flush=True)
    for seed in SEEDS:
        for order in options.orders:
            run(crawl, order, seed, options.cache, lambda line: print(line, flush=True))
    for test in crawl.tests:
        print(table(options.cache, test), end="\n\n")
    if options.picture is not None:
        draw(options.cache, options.picture)


if __name__ == "__main__":
    main()
