"""The format `yolo`: YOLO segmentation, a polygon a portrait.

A polygon cannot have holes or parts, so the rings of a mask are joined into one by cuts without
width, as Ultralytics' own converter joins parts. Every other format keeps the mask's pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.stored_masks import read_mask
from pipelines.releases.entry import Entry
from pipelines.releases.formats.parts import by_split, copy_blobs, writing
from pipelines.workspace.store import Store

_DATA_FILE = "data.yaml"


def check() -> None:
    """Nothing is needed."""


def write(folder: Path, entries: Sequence[Entry], store: Store) -> None:
    """Write ``images/SPLIT/NAME.jpg``, ``labels/SPLIT/NAME.txt`` and ``data.yaml``.

    A negative, and an empty mask, has an empty file of labels.

    Raises:
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    parts = by_split(entries)
    for split, members in parts.items():
        pictures = ((f"images/{split}/{each.name}.jpg", each.image_blob) for each in members)
        copy_blobs(folder, pictures, store)
        with writing(folder):
            labels = folder / "labels" / str(split)
            labels.mkdir(parents=True)
            for each in members:
                text = label(np.asarray(read_mask(store, each.mask_blob), np.uint8))
                (labels / f"{each.name}.txt").write_text(text, encoding="ascii")
    with writing(folder):
        # Without `path` Ultralytics takes the folder that this file is in.
        lines = [f"{split}: images/{split}\n" for split in parts]
        (folder / _DATA_FILE).write_text(
            "".join([*lines, "names:\n  0: portrait\n"]), encoding="ascii"
        )


def label(mask: NDArray[np.uint8]) -> str:
    """The line of a mask (H, W), 0 and 1: class 0 and x, y of each corner, in shares of the sides.

    Corners are the centres of pixels, which readers that cut off fractions find again.
    """
    found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [np.asarray(ring[:, 0, :], np.int32) for ring in found]
    if not rings:
        return ""
    height, width = mask.shape
    corners = (_joined(rings) + 0.5) / (width, height)
    return "0 " + " ".join(f"{value:.6f}" for value in corners.ravel()) + "\n"


def _joined(rings: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """One ring that goes through all of them: from the nearest corner to each and back."""
    from scipy.spatial import cKDTree

    ordered = sorted(rings, key=len, reverse=True)
    path = ordered[0]
    for ring in ordered[1:]:
        distance, nearest = cKDTree(path).query(ring)
        begin = int(np.argmin(distance))
        at = int(nearest[begin])
        there = np.concatenate([ring[begin:], ring[: begin + 1]])
        path = np.concatenate([path[: at + 1], there, path[at:]])
    return path
