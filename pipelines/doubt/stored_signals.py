"""Signals of stored masks: computed once from their blobs, then remembered."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from db import Mask, MaskSignals, chunks, reader
from pipelines.doubt.remembered import remember
from pipelines.masks.second_looks import is_second_look
from pipelines.masks.signals import Evidence, reduced, signals
from pipelines.pictures.decode import decode
from pipelines.pictures.stored_masks import read_grey, read_mask
from pipelines.portraits.rows import portraits
from pipelines.workspace.workspace import Workspace

VERSION = 1
"""Of the signals' definition: raise it whenever one changes its meaning."""
_AT_ONCE = 200


def stored_signals(workspace: Workspace, mask_ids: Iterable[int]) -> dict[int, dict[str, float]]:
    """Signals by mask; those not known yet are computed and remembered.

    What views and a second opinion said when the mask was made comes along (`view_…`,
    `student_…`).

    Args:
        workspace: opened.
        mask_ids: of masks with a probability; others are left out.

    Raises:
        WorkspaceError: a blob is missing or damaged.
    """
    found: dict[int, dict[str, float]] = {}
    for chunk in chunks(sorted(set(mask_ids)), _AT_ONCE):
        known = sa.select(MaskSignals.mask_id, MaskSignals.values).where(
            MaskSignals.mask_id.in_(chunk), MaskSignals.version == VERSION
        )
        rows = sa.select(
            Mask.id, Mask.portrait_id, Mask.blob, Mask.probability_blob, Mask.scores
        ).where(Mask.id.in_(chunk), Mask.probability_blob.is_not(None))
        with reader(workspace.engine).begin() as connection:
            kept = {row.mask_id: dict(row.values) for row in connection.execute(known)}
            masks = connection.execute(rows).all()
        new = _computed(workspace, [mask for mask in masks if mask.id not in kept])
        remember(workspace, MaskSignals, VERSION, new)
        for mask in masks:
            values = kept.get(mask.id) or new[mask.id]
            more = {name: value for name, value in mask.scores.items() if is_second_look(name)}
            found[mask.id] = {**values, **more}
    return found


def _computed(
    workspace: Workspace, masks: Sequence[sa.Row[*tuple[Any, ...]]]
) -> dict[int, dict[str, float]]:
    with reader(workspace.engine).begin() as connection:
        records = portraits(connection, ids={mask.portrait_id for mask in masks})
    limit = workspace.settings.decode.max_pixels
    found = {}
    for mask in masks:
        portrait = records[mask.portrait_id]
        evidence = Evidence(
            mask=read_mask(workspace.store, mask.blob),
            rgb=decode(workspace.store.get(portrait.blob), max_pixels=limit).rgb,
            face=portrait.face,
            others=portrait.others,
            probability=np.asarray(
                read_grey(workspace.store, mask.probability_blob) / np.float32(255), np.float32
            ),
        )
        found[mask.id] = signals(reduced(evidence))
    return found
