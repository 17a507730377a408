"""How well scores find bad masks: the tables and pictures of docs/quality.md.

    python -m benchmarks.quality.table CACHE [--shared ../shared] [--pictures docs/quality]

CACHE is what `benchmarks.quality.collect`, `.students` (CACHE/students) and `.peer` left. Bad is an
IoU below 0.90 with the hand mask. Everything on `train.txt` is judged out of fold, groups of
near-duplicates together; `val.txt` by what was fitted on `train.txt`; `crawl/flickr` by fits that
saw neither its photos nor their crops.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.masks import table as markdown
from benchmarks.quality.data import photos
from benchmarks.quality.evidence import INGEST, NETWORK, Table, load_students, table
from benchmarks.quality.measures import auroc_interval, gain
from pipelines.doubt import plots as pictures
from pipelines.doubt.fitting import fit
from pipelines.doubt.measures import acceptable, auroc, lift
from pipelines.doubt.model import ScoreModel
from pipelines.masks.second_looks import STUDENT, VIEW

OUTER_FOLDS = 5
SINGLE = (
    "confidence", "interior_confidence", "band_entropy", "band_entropy_wide", "expected_iou",
    "exterior_doubt", "support", "spill", "edge_agreement", "filled", "fragments", "pieces",
    "hole_count", "roughness", "outline_support", "unsupported_share", "face_in_mask",
    "area_in_faces", "crown", "offset", "shoulders", "neck", "beside", "bottom", "sides",
    "view_flip", "view_smaller", "view_larger", "view_patch", "view_expected_iou",
    "view_difference", "student_disagreement", "student_expected_iou",
)  # fmt: skip


class Judged(NamedTuple):
    """Doubt of three sets by one combination of signals."""

    train: NDArray[np.float64]
    val: NDArray[np.float64]
    flickr: NDArray[np.float64]


def without(whole: Table, *prefixes: str) -> Table:
    """A table without the signals of these kinds."""
    kept = [i for i, name in enumerate(whole.columns) if not name.startswith(prefixes)]
    return replace(whole, columns=[whole.columns[i] for i in kept], values=whole.values[:, kept])


def judge(train: Table, val: Table, flickr: Table) -> Judged:
    """Fit on train.txt, out of fold; a photo of the crawl goes with the fold of its crop."""
    from sklearn.model_selection import StratifiedGroupKFold

    doubts = Judged(*(np.full(len(each.names), np.nan) for each in (train, val, flickr)))
    folds = StratifiedGroupKFold(OUTER_FOLDS, shuffle=True, random_state=0)
    for learnt, judged in folds.split(train.values, train.bad, train.group):
        model = fitted(train, learnt)
        doubts.train[judged] = model.calibrated(model.log_odds(train.values[judged]))
        same = np.isin(flickr.group, train.group[judged])
        doubts.flickr[same] = model.calibrated(model.log_odds(flickr.values[same]))
    model = fitted(train, np.arange(len(train.names)))
    doubts.val[:] = model.calibrated(model.log_odds(val.values))
    # Photos whose crop is not in train.txt's table (no face was found in the crop).
    rest = np.isnan(doubts.flickr)
    doubts.flickr[rest] = model.calibrated(model.log_odds(flickr.values[rest]))
    return doubts


def fitted(train: Table, chosen: NDArray[np.int64]) -> ScoreModel:
    """The combined score, as `dataengine scores fit` fits it."""
    result = fit(
        train.values[chosen],
        train.bad[chosen],
        columns=train.columns,
        groups=train.group[chosen],
        at_random=np.ones(len(chosen), np.bool_),
    )
    losses = ", ".join(f"{kind} {loss:.4f}" for kind, loss in result.log_loss.items())
    print(f"<!-- fitted on {len(chosen)}: {result.kind} ({losses}) -->", flush=True)
    return result.model


def worse(bad: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A signal turned so that more is more doubtful."""
    return values if auroc(bad, values) >= 0.5 else -values


def rows(name: str, bad: NDArray[np.bool_], doubt: NDArray[np.float64]) -> list[str]:
    """One line of the table."""
    return [
        name,
        str(auroc_interval(bad, doubt)),
        f"{lift(bad, doubt):.2f}",
        f"{acceptable(bad, doubt, 0.02):.0%}",
        f"{acceptable(bad, doubt, 0.05):.0%}",
    ]


def report(whose: str, cache: Path, data: Path, folder: Path | None, trained: str) -> Iterator[str]:
    """Markdown of one kind of masks."""
    students = load_students(cache / trained)
    known = photos(data, cache / "hashes.json")
    whole = table(cache, "eg1800", known, students, whose, trained)
    flickr = table(cache, "flickr", known, students, whose, trained)
    train, val = whole.rows(whole.split == "train"), whole.rows(whole.split == "val")
    kinds = {
        "combined, one pass": (VIEW, STUDENT),
        "**combined, with views**": (STUDENT,),
        "combined, one pass and student": (VIEW,),
        "**combined, with views and student**": (),
    }
    if not students:
        kinds = {name: left for name, left in kinds.items() if STUDENT in left}
    judged = {
        name: judge(*(without(each, *left) if left else each for each in (train, val, flickr)))
        for name, left in kinds.items()
    }
    head = ["score", "AUROC (95 % interval)", "first 100", "at 2 %", "at 5 %"]
    lines = [head]
    lines += [
        rows(f"`{name}`", train.bad, worse(train.bad, train.column(name)))
        for name in SINGLE
        if name in train.columns
    ]
    kept = cache / f"cleanlab-{whose}.json"
    peer = None
    if kept.exists():
        scores = json.loads(kept.read_text())
        peer = -np.array([scores[name] for name in train.names])
        lines.append(rows("cleanlab's softmin", train.bad, peer))
    lines += [rows(name, train.bad, each.train) for name, each in judged.items()]
    yield f"train.txt: {len(train.names)} masks, {train.bad.mean():.1%} bad\n"
    yield from markdown(lines)
    yield "\nGain in AUROC on the same masks:\n"
    confidence = worse(train.bad, train.column("confidence"))
    gains = [["score", "over mean confidence", "over cleanlab's softmin"]]
    gains += [
        [
            name,
            str(gain(train.bad, each.train, confidence)),
            str(gain(train.bad, each.train, peer)) if peer is not None else "–",
        ]
        for name, each in judged.items()
    ]
    yield from markdown(gains)
    yield "\nGain in AUROC of one over another:\n"
    pairs = [
        ("views, without a student", "**combined, with views**", "combined, one pass"),
        (
            "views, beside a student",
            "**combined, with views and student**",
            "combined, one pass and student",
        ),
        ("a student, without views", "combined, one pass and student", "combined, one pass"),
    ]
    yield from markdown(
        [["what", "gain"]]
        + [
            [what, str(gain(train.bad, judged[more].train, judged[less].train))]
            for what, more, less in pairs
            if more in judged and less in judged
        ]
    )
    small = [head[0], head[1], "first tenth", *head[3:]]
    for title, part, pick in (("val.txt", val, "val"), ("crawl/flickr", flickr, "flickr")):
        yield f"\n{title}: {len(part.names)} masks, {part.bad.mean():.1%} bad\n"
        turned = worse(train.bad, train.column("confidence")) is not train.column("confidence")
        sign = -1 if turned else 1
        below = [small, rows("`confidence`", part.bad, sign * part.column("confidence"))]
        below += [rows(name, part.bad, getattr(each, pick)) for name, each in judged.items()]
        yield from markdown(below)
    # Any: for the type checker one of the names might be that of an option.
    by_score: dict[str, Any] = {name.strip("*"): each.train for name, each in judged.items()}
    np.savez(
        cache / f"doubt-{whose}.npz",
        bad=train.bad, iou=train.iou, group=train.group, **by_score,
    )  # fmt: skip
    if folder is not None:
        named = {"mean confidence": confidence}
        named |= {"cleanlab's softmin": peer} if peer is not None else {}
        best = {name.strip("*"): each.train for name, each in judged.items() if "**" in name}
        folder.mkdir(parents=True, exist_ok=True)
        pictures.precision_recall(folder / f"precision-recall-{whose}.png", train.bad, named | best)
        pictures.reliability(folder / f"reliability-{whose}.png", train.bad, best)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--pictures", type=Path, default=None, help="folder for the PNGs")
    parser.add_argument("--masks", choices=[NETWORK, INGEST], nargs="+", default=[NETWORK, INGEST])
    parser.add_argument("--students", default="students", help="their folder in CACHE")
    options = parser.parse_args()
    for whose in options.masks:
        print(f"\n## {whose}\n")
        for line in report(
            whose, options.cache, options.shared / "data/eg1800", options.pictures, options.students
        ):
            print(line, flush=True)


if __name__ == "__main__":
    main()
