"""Imported masks of a workspace of the situations, beside what is right."""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from db import Mask, MaskSource, Portrait, reader
from pipelines.pictures.stored_masks import read_mask
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace

Pixels = npt.NDArray[np.bool_]


def imported(root: Path) -> list[tuple[Pixels, tuple[int, int, int, int]]]:
    """Masks that people made, each with the crop box of its portrait."""
    workspace = Workspace(root, Settings())
    query = (
        sa.select(Mask.blob, Portrait.crop_box)
        .join(Portrait, Portrait.id == Mask.portrait_id)
        .where(Mask.source == MaskSource.IMPORT)
        .order_by(Portrait.id)
    )
    try:
        with reader(workspace.engine).begin() as connection:
            rows = connection.execute(query).all()
        return [(read_mask(workspace.store, row.blob), tuple(row.crop_box)) for row in rows]
    finally:
        workspace.close()


def assert_is_crop(mask: Pixels, box: tuple[int, int, int, int], whole: Pixels) -> None:
    """The mask is that part of the whole one, pixel by pixel."""
    x0, y0, x1, y1 = box
    np.testing.assert_array_equal(mask, whole[y0:y1, x0:x1])


def read_as(summary: dict[str, dict[str, object]]) -> Counter[str]:
    """How many masks a run read how."""
    return Counter(summary["run"]["masks_read"])
