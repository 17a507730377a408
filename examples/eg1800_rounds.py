"""Three rounds of the engine on EG1800, without one hand mask to learn from.

    python examples/eg1800_rounds.py --shared ../shared --out rounds           # hours
    python examples/eg1800_rounds.py --shared ../shared --out small --small    # minutes

The images of EG1800's `train.txt` come as three disjoint crawls; 150 of them as the uncropped
originals of `data/crawl/flickr`. DeepLabv3 labels them; a simulated reviewer, who knows the hand
masks, answers every question of `review push`: a mask of IoU 0.95 and more is accepted, below 0.80
rejected, between with even chance either. Nothing is ever drawn. From the second round on, the
mean of teacher and last student proposes the masks of the new crawl and of what was rejected
(`relabel`); the next student learns from all that was accepted. Students and teacher are measured
on the hand masks of `val.txt`.

Interrupted, the same command goes on. Results: `results.json`, `rounds.md`, `rounds.png`.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from db import Honeypot, Mask, Portrait, ReviewRequest, Verdict, reader
from pipelines.label_studio.fake import FakeGateway
from pipelines.masks.agreement import difference
from pipelines.pictures.stored_masks import read_mask
from pipelines.portraits.listing import portrait_lines
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.review.push import PushRequest, push_questions
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from sinet.metrics import paired_bootstrap
from sinet.pictures.decode import decode_grey
from sinet.pictures.threshold import is_person

ACCEPT_FROM, REJECT_BELOW = 0.95, 0.80
SEED = 2026


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Attributes:
        images: of train.txt, in all three crawls; None: every one.
        epochs: of each round's training.
        recipe: of the trainings, as JSON; None: `portrait`.
        measured: images of val.txt; None: every one.
        settings: of the workspace, as environment variables.
    """

    images: int | None
    epochs: tuple[int, int, int]
    recipe: dict[str, Any] | None
    measured: int | None
    settings: dict[str, str]


FULL = Plan(None, (60, 20, 50), None, None, {"DATAENGINE_RELEASE__VAL_SHARE": "0.05"})
SMALL = Plan(
    90,
    (12, 8, 8),
    {
        "encoder_epochs": 0,
        "batch": 4,
        "workers": 0,
        "threads": 1,
        "cache_px": 160,
        "input": {"height": 96, "width": 96},
    },
    40,
    # So few photos that a tenth of them might be none.
    {"DATAENGINE_RELEASE__VAL_SHARE": "0.1", "DATAENGINE_RELEASE__TEST_SHARE": "0.2"},
)


class Reviewer:
    """Knows the hand masks, answers what is asked, and draws nothing."""

    def __init__(self, shared: Path) -> None:
        """Read where the uncropped photos' hand masks lie.

        Args:
            shared: folder of the reference data.
        """
        self.server = FakeGateway(began=datetime.now(UTC))
        self._masks = shared / "data/eg1800/masks"
        with (shared / "data/crawl/flickr_crops.csv").open() as file:
            self._windows = {
                Path(row["file"]).stem: tuple(int(row[key]) for key in ("x0", "y0", "x1", "y1"))
                for row in csv.DictReader(file)
            }

    def review(self, root: Path, order: Order = Order.UNCERTAIN, limit: int | None = None) -> None:
        """Ask about masks that nobody has decided about, every one or some, and answer."""
        workspace, server = Workspace(root, load_settings(root)), self.server
        request = PushRequest(
            verdicts=list(Verdict), order=order, limit=limit, project="rounds", batch=200
        )
        try:
            push_questions(workspace, request, gateway=server)
            ious = self._ious(workspace)
            for task in list(server.tasks.values()):
                if not task.annotations:
                    server.answer(task.id, self.decide(ious[task.key]))
            pull_answers(workspace, gateway=server)
        finally:
            workspace.close()

    def decide(self, iou: float) -> str:
        """Answer about a mask of this IoU with the hand mask."""
        if iou >= ACCEPT_FROM:
            return "accept"
        # By the portrait's own seed: the same in a run that was interrupted.
        chance = random.Random(f"{SEED} {iou:.6f}").random()
        return "accept" if iou >= REJECT_BELOW and chance < 0.5 else "reject"

    def _ious(self, workspace: Workspace) -> dict[str, float]:
        """How good the masks that were shown are, by the questions' keys."""
        # A honeypot shows another mask than the one it is made from.
        shown = sa.func.coalesce(Honeypot.shown_blob, Mask.blob).label("blob")
        query = (
            sa.select(ReviewRequest.key, shown, Portrait.id, Portrait.crop_box)
            .join(Mask, Mask.id == ReviewRequest.mask_id)
            .join(Portrait, Portrait.id == Mask.portrait_id)
            .outerjoin(Honeypot, Honeypot.request_id == ReviewRequest.id)
        )
        with reader(workspace.engine).begin() as connection:
            photos = {
                line.portrait_id: Path(str(line.photo_path))
                for line in portrait_lines(connection, workspace.store)
            }
            rows = connection.execute(query).all()
        return {
            row.key: self.iou(read_mask(workspace.store, row.blob), row.crop_box, photo)
            for row in rows
            for photo in [photos[row.id]]
        }

    def iou(self, mask: NDArray[np.bool_], crop: list[int], photo: Path) -> float:
        """Against the hand mask, on the part of the photo that both cover."""
        hand, (wx, wy) = self._hand(photo)
        height, width = hand.shape
        x0, y0, x1, y1 = crop
        left, top = max(x0, wx), max(y0, wy)
        right, bottom = min(x1, wx + width), min(y1, wy + height)
        ours = mask[top - y0 : bottom - y0, left - x0 : right - x0]
        theirs = hand[top - wy : bottom - wy, left - wx : right - wx]
        return 1 - difference(ours, theirs)

    def _hand(self, photo: Path) -> tuple[NDArray[np.bool_], tuple[int, int]]:
        """A photo's hand mask at the photo's scale, and where its upper left corner lies."""
        grey = _grey(self._masks / f"{photo.stem}.png")
        if photo.parent.name != "flickr":
            return is_person(grey), (0, 0)
        x0, y0, x1, y1 = self._windows[photo.stem]
        soft = cv2.resize(grey.astype(np.float32) / 255, (x1 - x0, y1 - y0))
        return np.asarray(soft > 0.5), (x0, y0)


def crawls(shared: Path, out: Path, images: int | None) -> list[Path]:
    """Write three lists of photos, disjoint, the same on every machine."""
    names = (shared / "data/eg1800/train.txt").read_text().split()
    random.Random(SEED).shuffle(names)
    originals = {path.stem: path for path in (shared / "data/crawl/flickr").glob("*.jpg")}
    lists = []
    for number in range(3):
        photos = [
            originals.get(name, shared / f"data/eg1800/images/{name}.jpg")
            for name in names[:images][number::3]
        ]
        lists.append(out / f"crawl-{number + 1}.txt")
        lists[-1].write_text("".join(f"{photo.absolute()}\n" for photo in photos))
    return lists


def run(shared: Path, out: Path, plan: Plan) -> list[dict[str, Any]]:
    """Run all rounds, and return a line a round: data, decisions, scores."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ.update(plan.settings)
    root, results = out / "workspace", _results(out)
    teacher = shared / "weights/deeplabv3_mobilenetv2_voc.onnx"
    reviewer = Reviewer(shared)
    recipe = []
    if plan.recipe is not None:
        (out / "recipe.json").write_text(json.dumps(plan.recipe))
        recipe = ["--config", str(out / "recipe.json")]
    if not results:
        results.append(
            {"name": "DeepLabv3, the teacher", **_evaluate(teacher, shared, plan.measured)}
        )
        _save(out, results)
    for number, crawl in enumerate(crawls(shared, out, plan.images), 1):
        if len(results) > number:
            continue
        dataengine(root, "ingest", str(crawl), "--teacher", f"onnx:{teacher}")
        begin = []
        if number > 1:
            dataengine(root, "relabel", "--round", str(number - 1))
            begin = ["--init", str(root / f"runs/round-{number - 1}/last.safetensors")]
        reviewer.review(root)
        reviewed = json.loads(dataengine(root, "review", "status", "--json"))
        epochs = ["--epochs", str(plan.epochs[number - 1])]
        trained = json.loads(
            dataengine(root, "train", "--round", str(number), *recipe, *epochs, *begin, "--json")
        )
        student = root / f"runs/round-{number}/last.safetensors"
        results.append(
            {
                "name": f"round {number}",
                "images": trained["splits"],
                "decisions": {name: reviewed[name] for name in ("accepted", "rejected")},
                "gate": trained["gate"]["message"],
                "promoted": trained["promoted"],
                "minutes": trained["seconds"] / 60,
                **_evaluate(student, shared, plan.measured),
            }
        )
        _save(out, results)
    write_report(out, results)
    return results


def write_report(out: Path, results: list[dict[str, Any]]) -> None:
    """Write the table and the picture; differences are paired, with bootstrap intervals."""
    lines = [
        "| | learnt from | IoU on val.txt | 95 % interval | against the teacher | boundary F1 |"
    ]
    lines.append("|---|---:|---:|---|---|---:|")
    teacher = results[0]["each"]
    for each in results:
        low, high = each["interval"]
        images = each.get("images", {}).get("train")
        ious = each["each"]
        gain = paired_bootstrap([ious[name] for name in teacher], list(teacher.values()))
        shown = f"{100 * gain.difference:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f})"
        lines.append(
            f"| {each['name']} | {images or '–'} | {100 * each['iou']:.2f} | "
            f"{100 * low:.2f} to {100 * high:.2f} | {shown if images else ''} | "
            f"{100 * each['boundary_f1']:.2f} |"
        )
    (out / "rounds.md").write_text("\n".join(lines) + "\n")
    _draw(out / "rounds.png", results)


def _draw(path: Path, results: list[dict[str, Any]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    teacher, students = results[0], results[1:]
    figure, axes = pyplot.subplots(figsize=(6, 3.6), dpi=120)
    axes.axhline(100 * teacher["iou"], color="#888888", linestyle="--")
    axes.annotate(
        "DeepLabv3, who made the masks", (0.02, 100 * teacher["iou"]), va="bottom",
        xycoords=axes.get_yaxis_transform(), color="#666666", fontsize=9,
    )  # fmt: skip
    x = [each["images"]["train"] for each in students]
    y = [100 * each["iou"] for each in students]
    ends = np.array([each["interval"] for each in students]).T * 100
    axes.errorbar(x, y, np.abs(ends - y), marker="o", capsize=4, color="#3b6ea5")
    for each, left, up in zip(students, x, y, strict=True):
        axes.annotate(each["name"], (left, up), xytext=(6, -12), textcoords="offset points")
    axes.set(xlabel="accepted pseudo-masks learnt from", ylabel="IoU on val.txt, %")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def _evaluate(model: Path, shared: Path, images: int | None) -> dict[str, Any]:
    command = ["evaluate", str(model), "--data", str(shared / "data/eg1800"), "--json"]
    if images is not None:
        command += ["--limit", str(images)]
    found = json.loads(dataengine(None, *command))
    return {
        "iou": found["mean"]["iou"],
        "interval": found["iou_interval_95"],
        "boundary_f1": found["mean"]["boundary_f1"],
        "each": {name: scores["iou"] for name, scores in found["by_image"].items()},
    }


def dataengine(
    root: Path | None, *arguments: str, settings: Mapping[str, str] | None = None
) -> str:
    """Run a command as a user would, with settings as environment variables; what it prints."""
    workspace = [] if root is None else ["-w", str(root)]
    command = [sys.executable, "-c", "from dataengine.cli import main; main()"]
    done = subprocess.run(
        [*command, *workspace, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(settings or {})},
    )
    return done.stdout


@cache
def _grey(path: Path) -> NDArray[np.uint8]:
    return decode_grey(path.read_bytes())


def _results(out: Path) -> list[dict[str, Any]]:
    file = out / "results.json"
    return list(json.loads(file.read_text())) if file.exists() else []


def _save(out: Path, results: list[dict[str, Any]]) -> None:
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("rounds"))
    parser.add_argument("--small", action="store_true", help="a few photos and epochs")
    options = parser.parse_args()
    run(options.shared.absolute(), options.out.absolute(), SMALL if options.small else FULL)
    sys.stdout.write((options.out / "rounds.md").read_text())


if __name__ == "__main__":
    main()
