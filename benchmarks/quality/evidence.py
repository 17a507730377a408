"""Signals and truth of the collected photos, computed once."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.data import FOLDS, Photo
from pipelines.masks.signals import Evidence, reduced, signals
from pipelines.networks.views import Views
from pipelines.pictures.geometry import Face
from sinet.models import load_person_model
from sinet.predict import PersonModel, predict

BAD_BELOW = 0.90
NETWORK, INGEST = "network", "ingest"
"""Whose mask is judged: the network's own (p > 0.5), or what `ingest` makes of it."""


@dataclass(frozen=True)
class Table:
    """Signals of many masks, and the truth.

    Attributes:
        names: of the masks' photos.
        columns: names of the signals.
        values: (masks, columns) float64.
        iou: with the hand mask.
        fold: of each photo.
        group: of near-duplicates.
        split: `train` or `val`.
    """

    names: list[str]
    columns: list[str]
    values: NDArray[np.float64]
    iou: NDArray[np.float64]
    fold: NDArray[np.int64]
    group: NDArray[np.int64]
    split: NDArray[np.str_]

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Masks that a reviewer would not leave as they are."""
        return self.iou < BAD_BELOW

    def column(self, name: str) -> NDArray[np.float64]:
        """One signal."""
        return self.values[:, self.columns.index(name)]

    def rows(self, chosen: NDArray[np.bool_]) -> "Table":
        """Some of the masks."""
        return Table(
            [name for name, take in zip(self.names, chosen, strict=True) if take],
            self.columns,
            self.values[chosen],
            self.iou[chosen],
            self.fold[chosen],
            self.group[chosen],
            self.split[chosen],
        )


def load_students(folder: Path) -> list[PersonModel]:
    """The students of all folds, of either kind; none where they are not trained."""
    for name in ("last.safetensors", "teacher.onnx"):
        files = [folder / f"fold-{fold}" / name for fold in range(FOLDS)]
        if all(file.exists() for file in files):
            return [load_person_model(file) for file in files]
    return []


def table(
    cache: Path,
    crawl: str,
    photos: list[Photo],
    students: list[PersonModel],
    whose: str,
    trained: str = "",
) -> Table:
    """Signals of all photos that were collected; those computed before are read.

    Args:
        cache: of `collect`.
        crawl: `eg1800` or `flickr`.
        photos: what may be there.
        students: of all folds, or none.
        whose: masks.
        trained: the students' folder, which tells their signals from other students'.
    """
    kept = cache / f"signals-{crawl}-{whose}{f'-{trained}' if students else ''}"
    kept.mkdir(exist_ok=True)
    names: list[str] = []
    rows, truth, known = [], [], []
    for photo in photos:
        path = cache / crawl / f"{photo.sample.name}.npz"
        if not path.exists():
            continue
        student = students[photo.fold] if students else None
        names, values, iou = kept_signals(path, kept, student, whose)
        rows.append(values)
        truth.append(iou)
        known.append(photo)
    return Table(
        [photo.sample.name for photo in known],
        names,
        np.array(rows),
        np.array(truth),
        np.array([photo.fold for photo in known]),
        np.array([photo.group for photo in known]),
        np.array([photo.split for photo in known]),
    )


def kept_signals(
    path: Path, kept: Path, student: PersonModel | None, whose: str
) -> tuple[list[str], NDArray[np.float64], float]:
    """Names and values of a collected portrait's signals, and its mask's IoU: computed once.

    Args:
        path: what `collect` wrote.
        kept: folder of what was computed before.
        student: who is asked beside the teacher.
        whose: mask.
    """
    stored = kept / path.name
    if not stored.exists():
        evidence, iou = read_evidence(path, student, whose)
        found = signals(evidence)
        np.savez(stored, names=list(found), values=list(found.values()), iou=iou)
    with np.load(stored) as file:
        return [str(name) for name in file["names"]], file["values"], float(file["iou"])


def read_evidence(path: Path, student: PersonModel | None, whose: str) -> tuple[Evidence, float]:
    """One collected portrait on its working copy, and the IoU of its mask."""
    with np.load(path) as file:
        height, width = (int(side) for side in file["size"])
        mask = np.unpackbits(file["mask"], count=height * width).reshape(height, width) > 0
        views = Views(
            *(
                file[name].astype(np.float32) / 255
                for name in ("plain", "mirrored", "smaller", "larger")
            )
        )
        rgb = file["rgb"]
        evidence = Evidence(
            mask=mask,
            rgb=rgb,
            face=_face(file["face"]),
            others=[_face(row) for row in file["others"]],
            probability=views.plain,
            views=views,
            student=None if student is None else predict(student, rgb),
        )
        small = reduced(evidence)
        if whose == INGEST:
            return small, float(file["iou"])
        return replace(small, mask=small.probability > 0.5), float(file["plain_iou"])


def _face(row: NDArray[np.float64]) -> Face:
    points = row[5:].reshape(-1, 2)
    return Face(
        (float(row[0]), float(row[1]), float(row[2]), float(row[3])),
        tuple((float(x), float(y)) for x, y in points),
        float(row[4]),
    )
