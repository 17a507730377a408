"""Signals of stored masks: computed once from their blobs, then remembered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Job, Mask, MaskSignals, Stage, chunks, reader
from pipelines.doubt.remembered import compute, remember
from pipelines.masks.second_looks import is_second_look
from pipelines.masks.signals import Evidence, reduced, signals
from pipelines.pictures.decode import decode
from pipelines.pictures.stored_masks import read_grey, read_mask
from pipelines.portraits.rows import PortraitRecord, portraits
from pipelines.work.hands import HERE, Hands
from pipelines.work.isolation import attempt
from pipelines.work.stage import StageWork
from pipelines.workspace.errors import ItemError
from pipelines.workspace.workspace import Workspace

VERSION = 1
"""Of the signals' definition: raise it whenever one changes its meaning."""
_BATCH = 32
# A mask takes some 15 ms, a worker process some seconds to start.
_WORTH_A_PROCESS = 300


def stored_signals(
    workspace: Workspace, mask_ids: Iterable[int], hands: Hands = HERE
) -> dict[int, dict[str, float]]:
    """Signals by mask; those not known yet are computed by the workers and remembered.

    What views and a second opinion said when the mask was made comes along (`view_…`,
    `student_…`).

    Args:
        workspace: opened.
        mask_ids: of masks with a probability; others are left out, as are those whose signals
            cannot be computed: their jobs have failed and say why.
        hands: whose workers compute.

    Raises:
        PipelineError: a blob is missing or damaged.
    """
    wanted = sorted(set(mask_ids))
    with reader(workspace.engine).begin() as connection:
        missing = _missing(connection, wanted)
    compute(
        workspace,
        Stage.SIGNALS,
        signal_stages,
        VERSION,
        missing,
        worth_a_process=_WORTH_A_PROCESS,
        hands=hands,
    )
    with reader(workspace.engine).begin() as connection:
        return _known(connection, wanted)


def signal_stages(workspace: Workspace, _threads: int) -> tuple["SignalsWork"]:
    """The stages of one worker."""
    return (SignalsWork(workspace),)


@dataclass(frozen=True)
class StoredMask:
    """A mask, its portrait, and where their pixels are: store keys."""

    portrait: PortraitRecord
    blob: str
    probability_blob: str


class SignalsWork(StageWork[StoredMask, dict[str, float]]):
    """Mask → its signals."""

    stage = Stage.SIGNALS
    batch_size = _BATCH

    def __init__(self, workspace: Workspace) -> None:
        self._store = workspace.store
        self._max_pixels = workspace.settings.decode.max_pixels

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, StoredMask]:
        """Masks with a probability."""
        rows = connection.execute(
            sa.select(Mask.id, Mask.portrait_id, Mask.blob, Mask.probability_blob).where(
                Mask.id.in_([job.item_id for job in jobs]), Mask.probability_blob.is_not(None)
            )
        ).all()
        records = portraits(connection, ids={row.portrait_id for row in rows})
        return {
            row.id: StoredMask(records[row.portrait_id], row.blob, row.probability_blob)
            for row in rows
        }

    def run(self, items: Sequence[StoredMask]) -> list[dict[str, float] | ItemError]:
        """Read the pixels and compute."""
        return [attempt(self._signals, item) for item in items]

    def save(self, connection: Connection, item_id: int, out: dict[str, float]) -> None:
        """Remember."""
        remember(connection, MaskSignals, VERSION, {item_id: out})

    def _signals(self, item: StoredMask) -> dict[str, float]:
        evidence = Evidence(
            mask=read_mask(self._store, item.blob),
            rgb=decode(self._store.get(item.portrait.blob), max_pixels=self._max_pixels).rgb,
            face=item.portrait.face,
            others=item.portrait.others,
            probability=np.asarray(
                read_grey(self._store, item.probability_blob) / np.float32(255), np.float32
            ),
        )
        return signals(reduced(evidence))


def _missing(connection: Connection, mask_ids: Sequence[int]) -> list[int]:
    known = sa.exists().where(MaskSignals.mask_id == Mask.id, MaskSignals.version == VERSION)
    query = sa.select(Mask.id).where(Mask.probability_blob.is_not(None), ~known)
    return [
        mask_id
        for ids in chunks(mask_ids)
        for mask_id in connection.scalars(query.where(Mask.id.in_(ids)).order_by(Mask.id))
    ]


def _known(connection: Connection, mask_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    query = (
        sa.select(Mask.id, Mask.scores, MaskSignals.values)
        .join(MaskSignals, MaskSignals.mask_id == Mask.id)
        .where(Mask.probability_blob.is_not(None), MaskSignals.version == VERSION)
        .order_by(Mask.id)
    )
    found = {}
    for ids in chunks(mask_ids):
        for row in connection.execute(query.where(Mask.id.in_(ids))):
            more = {name: value for name, value in row.scores.items() if is_second_look(name)}
            found[row.id] = {**row.values, **more}
    return found
