"""How many clicks mend a mask: our network, GrabCut by the same clicks, and strokes of a brush.

    python -m benchmarks.quality.collect CACHE --shared ../shared
    python -m benchmarks.clicks CACHE --shared ../shared --sets held val street --out clicks.json
    python -m benchmarks.clicks --speed --shared ../shared

Begins with nothing, and with the teacher's mask as `ingest` makes it (from CACHE). Each click is in
the middle of the largest error: the pixel farthest from whatever is right. A stroke goes straight
through that pixel with Label Studio's widest brush, in whichever of twelve directions repairs most,
and never paints over an edge: so strokes are counted too low rather than too high. At most 20 of
either; what is not there by then counts 20. `held` is the tenth of `train.txt` that no network of
ours has learnt from; by it everything is chosen. GrabCut takes long: it is asked about every fifth
image, on copies of 256 pixels, each click one run of five iterations; below it stands our network
on the same images.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.data import read_mask, read_rgb
from pipelines.ingest.stages import detect_portraits
from pipelines.label_studio.interaction import answer, read_ask
from pipelines.label_studio.rle import encode_mask
from pipelines.label_studio.screen import CLICK, MASK, SAMPLE_ID
from pipelines.pictures.detect import MtcnnDetector
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings
from sinet.clicks.click import RADIUS, Click
from sinet.clicks.mending import Mask, Mender
from sinet.clicks.simulating import next_click
from sinet.data import find_samples, hold_out
from sinet.data.listing import Sample
from sinet.json_text import from_json, to_json

SETTINGS = Settings()
MOST = 20
GOALS = (0.95, 0.97)
HELD_BACK = 0.1
SETS = {"held": "eg1800", "val": "eg1800", "street": "street"}
GRABCUT_PX, GRABCUT_STEP = 256, 5
BRUSH_PX, SHOWN_PX, DIRECTIONS = 50, 800, 12
"""Label Studio's widest brush, on a picture shown with this longer side."""
Step = Callable[[Mask, Sequence[Click]], Mask]
"""From a mask and all clicks so far to the next mask."""


@dataclass(frozen=True)
class Case:
    """A picture to be mended."""

    name: str
    picture: NDArray[np.uint8]
    truth: Mask
    proposed: Mask


def cases(name: str, cache: Path, shared: Path, every: int = 1) -> list[tuple[Sample, Path]]:
    """Images of a set of which there is a teacher's mask."""
    if name == "street":
        samples = find_samples(shared / "data/webval/street")
    else:
        samples = find_samples(shared / "data/eg1800", "val" if name == "val" else "train")
    if name == "held":
        samples = hold_out(samples, HELD_BACK)[1]
    files = [(each, cache / SETS[name] / f"{each.name}.npz") for each in samples]
    return [(sample, file) for sample, file in files if file.exists()][::every]


def read_case(sample: Sample, file: Path) -> Case | None:
    """A picture, its hand mask and the teacher's mask as `ingest` makes it.

    What `ingest` would crop is cropped; None if it crops nothing of that size now.
    """
    picture, truth = read_rgb(sample.image), read_mask(sample.mask)
    with np.load(file) as kept:
        height, width = (int(side) for side in kept["size"])
        bits = np.unpackbits(kept["mask"], count=height * width)
    proposed = bits.reshape(height, width).astype(np.bool_)
    if (height, width) == truth.shape:
        return Case(sample.name, picture, truth, proposed)
    found = detect_portraits([sample.image.read_bytes()], detector(), SETTINGS)[0]
    boxes = [] if isinstance(found, ItemError) else [each.crop.box for each in found.portraits]
    for x0, y0, x1, y1 in boxes:
        if (y1 - y0, x1 - x0) == (height, width):
            part = np.s_[y0:y1, x0:x1]
            return Case(sample.name, picture[part], truth[part], proposed)
    return None


@cache
def detector() -> MtcnnDetector:
    """That `ingest` uses."""
    return MtcnnDetector(SETTINGS.detector)


def iou(mask: Mask, truth: Mask) -> float:
    """Intersection over union."""
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


def by_clicks(case: Case, begin: Mask, step: Step) -> list[float]:
    """IoU before and after each click, until the last goal or `MOST`."""
    clicks: list[Click] = []
    mask, found = begin, [iou(begin, case.truth)]
    while found[-1] < GOALS[-1] and len(clicks) < MOST:
        click = next_click(mask, case.truth)
        if click is None:
            break
        clicks.append(click)
        mask = step(mask, clicks)
        found.append(iou(mask, case.truth))
    return found


def by_strokes(case: Case, begin: Mask) -> list[float]:
    """IoU before and after each stroke."""
    mask, found = begin.copy(), [iou(begin, case.truth)]
    while found[-1] < GOALS[-1] and len(found) <= MOST:
        click = next_click(mask, case.truth)
        if click is None:
            break
        wrong = (case.truth & ~mask) if click.positive else (mask & ~case.truth)
        mask[stroke(wrong, click.pixel(mask.shape))] = click.positive
        found.append(iou(mask, case.truth))
    return found


def stroke(wrong: Mask, place: tuple[int, int]) -> Mask:
    """What one stroke repairs, bool (H, W): a straight one through a place, within its error."""
    rows, columns = np.ogrid[: wrong.shape[0], : wrong.shape[1]]
    half = BRUSH_PX / 2 * max(wrong.shape) / SHOWN_PX
    best = np.zeros_like(wrong)
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        off = (rows - place[0]) * np.cos(angle) - (columns - place[1]) * np.sin(angle)
        painted = (wrong & (np.abs(off) <= half)).view(np.uint8)
        _, parts = cv2.connectedComponents(painted)
        reached = parts == parts[place]
        best = max(best, reached, key=np.count_nonzero)
    return best


def grabcut(picture: NDArray[np.uint8], mask: Mask, clicks: Sequence[Click]) -> Mask:
    """OpenCV's GrabCut: the mask is probable, clicks are certain."""
    height, width = mask.shape
    scale = GRABCUT_PX / max(height, width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    state = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    for click in clicks:
        row, column = click.pixel((size[1], size[0]))
        kind = cv2.GC_FGD if click.positive else cv2.GC_BGD
        cv2.circle(state, (column, row), round(RADIUS * GRABCUT_PX), int(kind), cv2.FILLED)
    if not (np.isin(state, (1, 3)).any() and np.isin(state, (0, 2)).any()):
        return mask
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(small[..., ::-1])
    cv2.grabCut(  # type: ignore[call-overload]  # the stubs do not know that there may be no box
        bgr, state, None, *models, 5, cv2.GC_INIT_WITH_MASK
    )
    grown = cv2.resize(np.isin(state, (1, 3)).astype(np.float32), (width, height))
    return np.asarray(grown > 0.5)


def measure(
    name: str, cache: Path, shared: Path, mender: Mender, every: int, limit: int | None
) -> dict[str, dict[str, list[float]]]:
    """IoU by number of clicks: start and method → image → values."""
    found: dict[str, dict[str, list[float]]] = {}
    for number, (sample, file) in enumerate(cases(name, cache, shared, every)[:limit]):
        case = read_case(sample, file)
        if case is None:
            continue
        canvas = mender.canvas(case.picture)
        for start, begin in (("nothing", np.zeros_like(case.truth)), ("teacher", case.proposed)):
            ways = {
                "network": partial(by_clicks, case, begin, partial(mender.mend, canvas)),
                "strokes": partial(by_strokes, case, begin),
            }
            if number % GRABCUT_STEP == 0 and name != "held":
                ways["grabcut"] = partial(by_clicks, case, begin, partial(grabcut, case.picture))
            for way, run in ways.items():
                found.setdefault(f"{start}/{way}", {})[case.name] = run()
    return found


def needed(values: Sequence[float], goal: float) -> int:
    """Clicks until the goal."""
    reached = next((number for number, value in enumerate(values) if value >= goal), MOST)
    return min(reached, MOST)


def table(found: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """Markdown: mean number of clicks."""
    head = ("set", "from", "by", "images", *(f"to {goal}" for goal in GOALS), "never 0.95")
    lines = [f"| {' | '.join(head)} |", "|---|---|---|" + "---:|" * (len(head) - 3)]
    for name, ways in found.items():
        rows = dict(ways)
        for start in ("nothing", "teacher"):
            if same := rows.get(f"{start}/grabcut"):
                ours = rows[f"{start}/network"]
                rows[f"{start}/network, the same images"] = {each: ours[each] for each in same}
        for key, by_image in sorted(rows.items()):
            start, way = key.split("/", 1)
            counts = [[needed(values, goal) for values in by_image.values()] for goal in GOALS]
            never = sum(max(values) < GOALS[0] for values in by_image.values())
            means = " | ".join(f"{np.mean(each):.2f}" for each in counts)
            lines.append(f"| {name} | {start} | {way} | {len(by_image)} | {means} | {never} |")
    return "\n".join(lines)


def speed(shared: Path, mender: Mender) -> str:
    """Milliseconds of one core: a picture made ready, and a request with a draft, answered."""
    samples = find_samples(shared / "data/eg1800", "train")[:20]
    begun, answered = [], []
    for sample in samples:
        picture, truth = read_rgb(sample.image), read_mask(sample.mask)
        request = to_json(request_for(truth)).encode()
        started = time.process_time()
        canvas = mender.canvas(picture)
        begun.append(time.process_time() - started)
        started = time.process_time()
        ask = read_ask(from_json(request))
        assert ask.draft is not None
        marks = list(ask.marks.values())
        mask = mender.mend(canvas, ask.draft.pixels, marks)
        to_json(answer(mask, ask.draft.regions, "0", marks))
        answered.append(time.process_time() - started)
    return f"a picture {1e3 * np.median(begun):.0f} ms, a click {1e3 * np.median(answered):.0f} ms"


def request_for(mask: Mask) -> dict[str, Any]:
    """What Label Studio sends for a click on a picture whose mask is in the draft."""
    height, width = mask.shape
    region = {
        "id": MASK,
        "from_name": MASK,
        "type": "brushlabels",
        "original_width": width,
        "original_height": height,
        "value": {"format": "rle", "rle": encode_mask(mask)},
    }
    point = {"id": "a", "from_name": CLICK, "value": {"x": 50.0, "y": 50.0}, "is_positive": True}
    draft = {"updated_at": "2026-11-27", "result": [region]}
    task = {"data": {SAMPLE_ID: "0" * 32}, "drafts": [draft]}
    return {"tasks": [task], "params": {"context": {"result": [point]}}}


def main() -> None:
    """Measure, keep what was measured, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path, nargs="?")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=["held"])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every so many-th image")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    mender = Mender(options.weights) if options.weights else Mender()
    if options.speed:
        print(speed(options.shared, mender))
        return
    if options.cache is None:
        parser.error("where is the CACHE of benchmarks.quality.collect?")
    found = {
        name: measure(name, options.cache, options.shared, mender, options.every, options.limit)
        for name in options.sets
    }
    if options.out:
        options.out.write_text(json.dumps(found) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
