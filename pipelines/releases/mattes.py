"""Soft edges of a release for people who work with mattes: ``alphas/``, ``trimaps/``, a table."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from db import Mask, chunks, reader
from pipelines.masks.matte import matte
from pipelines.pictures.stored_masks import read_grey, read_mask
from pipelines.releases.entry import Entry
from pipelines.releases.formats.parts import in_order, writing
from pipelines.workspace.workspace import Workspace
from sinet.files.mattes import ALPHAS, TRIMAPS, UNKNOWN

MATTES_FILE: Final = "mattes.csv"
_TOGETHER: Final = 500


def write_mattes(workspace: Workspace, folder: Path, entries: Sequence[Entry]) -> None:
    """Write ``alphas/NAME.png``, ``trimaps/NAME.png`` and ``mattes.csv`` of every member.

    The table says of each what its alpha is made of: the stored `probability` of the mask, or the
    `mask` alone, where nobody has one; and which share of its pixels is unknown.

    Args:
        workspace: opened.
        folder: of the release, with everything else in it.
        entries: its members.

    Raises:
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    with writing(folder):
        for name in (ALPHAS, TRIMAPS):
            (folder / name).mkdir()
        with (folder / MATTES_FILE).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("id", "alpha", "unknown_share"))
            for entry, key in _probabilities(workspace, entries):
                probability = None
                if key is not None:
                    grey = read_grey(workspace.store, key)
                    probability = np.asarray(grey / np.float32(255), np.float32)
                found = matte(read_mask(workspace.store, entry.mask_blob), probability)
                (folder / ALPHAS / f"{entry.name}.png").write_bytes(_png(found.alpha))
                (folder / TRIMAPS / f"{entry.name}.png").write_bytes(_png(found.trimap))
                made_of = "mask" if probability is None else "probability"
                unknown = float((found.trimap == UNKNOWN).mean())
                table.writerow((entry.name, made_of, f"{unknown:.4f}"))


def _probabilities(
    workspace: Workspace, entries: Sequence[Entry]
) -> Iterator[tuple[Entry, str | None]]:
    """Entries by name, with the store key of their mask's probability, if it has one."""
    for some in chunks(in_order(entries), _TOGETHER):
        ids = [entry.mask_id for entry in some if entry.mask_id is not None]
        query = sa.select(Mask.id, Mask.probability_blob).where(Mask.id.in_(ids))
        with reader(workspace.engine).begin() as connection:
            keys = {row.id: row.probability_blob for row in connection.execute(query)}
        for entry in some:
            yield entry, keys.get(entry.mask_id)


def _png(grey: npt.NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", grey)[1].tobytes()
