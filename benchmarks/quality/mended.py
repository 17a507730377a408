"""Whether the click network, asked without a click, tells which masks are bad.

    python -m benchmarks.quality.mended CACHE [--shared ../shared]

CACHE is what `benchmarks.quality.opinions` left. The network (`sinet.clicks`) reads picture and
mask and is in the package: a learnt scorer of both, if what it would mend says how bad a mask is.
It is asked twice, with the mask that is judged and with none; each answer is compared with the
mask as a second opinion is. It has learnt from `train.txt`, so what is said of its photos, on which
the scores are fitted, flatters it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.masks import table as markdown
from benchmarks.quality.data import photos
from benchmarks.quality.evidence import INGEST, read_evidence
from benchmarks.quality.measures import auroc_interval
from benchmarks.quality.opinions import SETS, Masks, cell, kept_beside, masks
from pipelines.doubt.fitting import fit
from pipelines.masks.agreement import disagreement, largest_patch
from pipelines.masks.boundary import band_entropy
from pipelines.masks.confidence import expected_iou
from pipelines.masks.second_looks import BAND_PX, PATCH_PX, VIEW
from pipelines.networks import load_person_model, parse_network
from sinet.clicks.mending import Mender

MENDED = "mended_"
SIGNALS = ("disagreement", "expected_iou", "patch", "band_entropy")
COLUMNS = [f"{MENDED}{way}_{name}" for way in ("with", "without") for name in SIGNALS]
"""By the answer with the judged mask, and by that without one."""


def of_mask(path: Path, mender: Mender, kept: Path) -> NDArray[np.float64]:
    """The signals of one collected mask, (len(COLUMNS),); those computed before are read."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        evidence, _ = read_evidence(path, None, INGEST)
        canvas, mask = mender.canvas(evidence.rgb), evidence.mask
        found: list[float] = []
        for given in (mask, np.zeros_like(mask)):
            answer = np.asarray(expit(mender.logits(canvas, given, [])), np.float32)
            found += [
                disagreement(mask, answer),
                expected_iou(mask, answer),
                largest_patch(mask.astype(np.float32), answer, PATCH_PX),
                band_entropy(mask, answer, BAND_PX),
            ]
        np.save(kept, np.array(found))
    return np.asarray(np.load(kept), np.float64)


def report(cache: Path, data: Path) -> Iterator[str]:
    """Markdown: AUROC, and the share that can be accepted with 2 % of it bad."""
    from pipelines.workspace.settings import TeacherSettings

    opinion = TeacherSettings().second_opinion
    assert opinion is not None  # the default names one
    network = load_person_model(parse_network(opinion), device="cpu")
    beside, mender = kept_beside(cache, opinion), Mender()

    def read(name: str) -> Masks:
        known = masks(cache / name, network, beside / name)
        files = [(cache / name / f"{each}.npz") for each in known.names]
        more = [of_mask(file, mender, cache / MENDED / name / f"{file.stem}.npy") for file in files]
        values = np.hstack([known.values, np.array(more)])
        return Masks(known.names, known.columns + COLUMNS, values, known.bad)

    known = {each.sample.name: each for each in photos(data, cache / "hashes.json")}
    whole = read("eg1800")
    learns = np.array([known[name].split == "train" for name in whole.names])
    train = whole.rows(learns)
    sets = {"`val.txt`": whole.rows(~learns)} | {name: read(name) for name in SETS}
    group = np.array([known[name].group for name in train.names])
    plain = [name for name in train.columns if not name.startswith((VIEW, MENDED))]
    rows = [["score", "out of fold on `train.txt`", *sets]]
    for title, columns in (
        ("combined", plain),
        ("and asked with the mask", plain + COLUMNS[: len(SIGNALS)]),
        ("and asked without, too", plain + COLUMNS),
    ):
        fitted = fit(
            train.of(columns), train.bad, columns=columns, groups=group,
            at_random=np.ones(len(train.bad), np.bool_),
        )  # fmt: skip
        out_of_fold = str(auroc_interval(train.bad, fitted.out_of_fold))
        told = [cell(each.bad, fitted.model.log_odds(each.of(columns))) for each in sets.values()]
        rows.append([title, out_of_fold, *told])
    yield from markdown(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()
    for line in report(options.cache, options.shared / "data/eg1800"):
        print(line, flush=True)


if __name__ == "__main__":
    main()
