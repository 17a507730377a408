"""What the default second opinion is worth, and the numbers of the default score.

    python -m benchmarks.quality.opinions CACHE [--shared ../shared] [--opinion NETWORK]

CACHE is what `benchmarks.quality.collect` left. The second opinion's networks have learnt from
`train.txt`, so what is said of its photos flatters them; those of `val.txt` and `webval` they never
saw. Bad is an IoU below 0.90 with the hand mask. *default* is a logistic regression of two or three
signals fitted on `train.txt`, the numbers of `pipelines/doubt/default.py`; *combined* what
`dataengine scores fit` fits there.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.masks import table as markdown
from benchmarks.quality.data import photos
from benchmarks.quality.evidence import BAD_BELOW, INGEST, kept_signals
from benchmarks.quality.measures import auroc_interval
from pipelines.doubt.fitting import fit
from pipelines.doubt.measures import acceptable
from pipelines.masks.second_looks import STUDENT, VIEW
from pipelines.networks import load_person_model, parse_network
from sinet.predict import PersonModel

ALONE = ("expected_iou",)
BESIDE = ("expected_iou", "student_disagreement")
SETS = ("street", "faces", "flickr")


class Masks(NamedTuple):
    """Signals of a set's masks, (masks, columns), and which are bad."""

    names: list[str]
    columns: list[str]
    values: NDArray[np.float64]
    bad: NDArray[np.bool_]

    def of(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """Some signals, (masks, len(columns))."""
        return self.values[:, [self.columns.index(name) for name in columns]]

    def rows(self, chosen: NDArray[np.bool_]) -> "Masks":
        """Some masks."""
        names = [name for name, take in zip(self.names, chosen, strict=True) if take]
        return Masks(names, self.columns, self.values[chosen], self.bad[chosen])


def masks(folder: Path, network: PersonModel, kept: Path) -> Masks:
    """The signals of all masks of a set; those computed before are read."""
    kept.mkdir(parents=True, exist_ok=True)
    columns: list[str] = []
    names, values, bad = [], [], []
    for path in sorted(folder.glob("*.npz")):
        columns, found, iou = kept_signals(path, kept, network, INGEST)
        values.append(found)
        bad.append(iou < BAD_BELOW)
        names.append(path.stem)
    return Masks(names, columns, np.array(values), np.array(bad))


def kept_beside(cache: Path, opinion: str) -> Path:
    """Folder of the signals that were computed beside a second opinion."""
    return cache / f"signals-beside-{opinion.replace(':', '-').replace(',', '+')}"


def street_doubts(
    cache: Path, data: Path, *unused: tuple[str, ...]
) -> tuple[NDArray[np.bool_], list[str], list[NDArray[np.float64]]]:
    """Masks of `webval/street`, which no network has learnt from, and how doubtful each is.

    Args:
        cache: of `collect`.
        data: EG1800's folder, on whose `train.txt` the scores are fitted.
        unused: of each score, what the names of signals begin with that it does not know.

    Returns:
        (masks,) which are bad, their names, and (masks,) doubts in [0, 1] by each score.
    """
    from pipelines.workspace.settings import TeacherSettings

    opinion = TeacherSettings().second_opinion
    assert opinion is not None  # the default names one
    network = load_person_model(parse_network(opinion), device="cpu")
    kept = kept_beside(cache, opinion)
    known = {each.sample.name: each for each in photos(data, cache / "hashes.json")}
    learnt = masks(cache / "eg1800", network, kept / "eg1800")
    learnt = learnt.rows(np.array([known[name].split == "train" for name in learnt.names]))
    street = masks(cache / "street", network, kept / "street")
    doubts = []
    for prefixes in unused:
        columns = [name for name in learnt.columns if not name.startswith(prefixes)]
        fitted = fit(
            learnt.of(columns),
            learnt.bad,
            columns=columns,
            groups=np.array([known[name].group for name in learnt.names]),
            at_random=np.ones(len(learnt.bad), np.bool_),
        )
        doubts.append(fitted.model.calibrated(fitted.model.log_odds(street.of(columns))))
    return street.bad, street.names, doubts


def logistic(learnt: Masks, columns: Sequence[str]) -> tuple[NDArray[np.float64], float]:
    """Weights of the plain signals, and the intercept."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(learnt.of(columns))
    # Next to no shrinkage: a few signals, a thousand masks.
    fitted = LogisticRegression(C=100.0).fit(scaler.transform(learnt.of(columns)), learnt.bad)
    weights = fitted.coef_[0] / scaler.scale_
    return weights, float(fitted.intercept_[0] - weights @ scaler.mean_)


def report(cache: Path, data: Path, opinion: str) -> Iterator[str]:
    """Markdown."""
    network = load_person_model(parse_network(opinion), device="cpu")
    known = {each.sample.name: each for each in photos(data, cache / "hashes.json")}
    kept = kept_beside(cache, opinion)
    whole = masks(cache / "eg1800", network, kept / "eg1800")
    learns = np.array([known[name].split == "train" for name in whole.names])
    train = whole.rows(learns)
    sets = {"`val.txt`": whole.rows(~learns)}
    sets |= {name: masks(cache / name, network, kept / name) for name in SETS}
    one_pass = [name for name in train.columns if not name.startswith((VIEW, STUDENT))]
    beside = [name for name in train.columns if not name.startswith(VIEW)]
    doubts: dict[str, list[NDArray[np.float64]]] = {}
    for title, columns in (("default, alone", ALONE), ("**default**", BESIDE)):
        weights, intercept = logistic(train, columns)
        yield f"<!-- {title}: {', '.join(columns)}: {weights.round(2)} {intercept:.2f} -->"
        doubts[title] = [each.of(columns) @ weights + intercept for each in sets.values()]
    group = np.array([known[name].group for name in train.names])
    for title, several in (("combined, alone", one_pass), ("**combined**", beside)):
        fitted = fit(
            train.of(several), train.bad, columns=several, groups=group,
            at_random=np.ones(len(train.bad), np.bool_),
        )  # fmt: skip
        unseen = auroc_interval(train.bad, fitted.out_of_fold)
        yield f"<!-- {title}: out of fold on train.txt {unseen}, {fitted.kind} -->"
        doubts[title] = [fitted.model.log_odds(each.of(several)) for each in sets.values()]
    head = [
        f"{name}: {len(each.bad)} masks, {each.bad.mean():.1%} bad" for name, each in sets.items()
    ]
    yield from markdown([["score", *head]] + [
        [title, *(cell(each.bad, doubt) for each, doubt in zip(sets.values(), found, strict=True))]
        for title, found in doubts.items()
    ])  # fmt: skip


def cell(bad: NDArray[np.bool_], doubt: NDArray[np.float64]) -> str:
    """AUROC with its interval, and the share that can be accepted with 2 % of it bad."""
    return f"{auroc_interval(bad, doubt)}; {acceptable(bad, doubt, 0.02):.0%}"


def main() -> None:
    """Measure and print."""
    from pipelines.workspace.settings import TeacherSettings

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--opinion", default=TeacherSettings().second_opinion)
    options = parser.parse_args()
    for line in report(options.cache, options.shared / "data/eg1800", options.opinion):
        print(line, flush=True)


if __name__ == "__main__":
    main()
