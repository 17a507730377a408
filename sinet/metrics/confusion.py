"""How good masks of many classes are: which class was taken for which, over a whole data set."""

import math

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]


class Confusion:
    """Counts of pixels.

    Attributes:
        counts: int64 (classes, classes): of the true class (row) what was said to be which.
    """

    def __init__(self, classes: int) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    def add(self, predicted: Labels, truth: Labels) -> None:
        """Count the pixels of a picture; true labels that are no class count for nothing.

        Args:
            predicted: (H, W) of classes.
            truth: (H, W) of classes and others.
        """
        classes = len(self.counts)
        known = truth < classes
        pairs = truth[known].astype(np.int64) * classes + predicted[known]
        self.counts += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    @property
    def ious(self) -> list[float]:
        """Intersection over union of each class; NaN of one that is nowhere, nor said to be."""
        hits = np.diag(self.counts)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        return [
            float(hit / whole) if whole else math.nan
            for hit, whole in zip(hits, union, strict=True)
        ]

    @property
    def miou(self) -> float:
        """Mean over the classes that are there; NaN if there is none."""
        found = [iou for iou in self.ious if not math.isnan(iou)]
        return sum(found) / len(found) if found else math.nan

    @property
    def accuracy(self) -> float:
        """Share of the pixels that are right; NaN if there is none."""
        total = int(self.counts.sum())
        return float(np.diag(self.counts).sum() / total) if total else math.nan
