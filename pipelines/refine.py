"""A second network looks at what the teacher proposed: new masks from the mean of both."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from db import Mask, MaskSource, reader
from pipelines.decode import decode
from pipelines.funnel import latest_masks
from pipelines.ingest.records import portraits, save_mask
from pipelines.ingest.revisions import portrait_input, stored_mask
from pipelines.masks import difference, read_grey
from pipelines.settings_used import settings_id
from pipelines.stages import judge_probability
from pipelines.teachers import Teacher
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class Refined:
    """A portrait with a new mask revision.

    Attributes:
        portrait_id: which.
        change: share of the union of old and new mask that only one of them covers, 0..1.
        verdict: on the new mask.
    """

    portrait_id: int
    change: float
    verdict: str


@dataclass(frozen=True)
class _Proposed:
    """A teacher's mask that is still a portrait's latest."""

    mask_id: int
    portrait_id: int
    producer: str
    blob: str
    probability_blob: str | None


def refine(workspace: Workspace, second: Teacher) -> Iterator[Refined]:
    """Average the teacher's and a second network's probabilities, portrait by portrait.

    Only a teacher's masks that are their portrait's latest are refined: people's masks and what
    was refined before stay as they are, so that going on after an interruption does nothing twice.

    Args:
        workspace: opened.
        second: the other network.

    Yields:
        Each portrait once its new revision is committed.

    Raises:
        WorkspaceError: a blob is missing or damaged, or cannot be written.
    """
    used = settings_id(workspace)
    for proposed in _proposals(workspace):
        with reader(workspace.engine).begin() as connection:
            record = portraits(connection, ids=[proposed.portrait_id])[proposed.portrait_id]
        item = portrait_input(workspace.store, record)
        assert proposed.probability_blob is not None  # by the query
        rgb = decode(item.jpeg, max_pixels=workspace.settings.decode.max_pixels).rgb
        (own,) = second.person_probability([rgb])
        said = read_grey(workspace.store, proposed.probability_blob).astype(np.float32) / 255
        mean = np.asarray((own + said) / 2, np.float32)
        judged = judge_probability(item, rgb, mean, workspace.settings)
        producer = f"mean of {proposed.producer} and {second.name}"
        mask = stored_mask(
            workspace.store, proposed.portrait_id, judged, MaskSource.STUDENT, producer, used
        )
        with workspace.engine.begin() as connection:
            if not _is_latest(connection, proposed.mask_id):
                continue  # somebody else was quicker
            save_mask(connection, mask)
        before = read_grey(workspace.store, proposed.blob) > 127
        change = difference(before, read_grey(workspace.store, mask.blob) > 127)
        yield Refined(proposed.portrait_id, change, str(judged.verdict))


def _proposals(workspace: Workspace) -> list[_Proposed]:
    query = (
        sa.select(Mask.id, Mask.portrait_id, Mask.producer, Mask.blob, Mask.probability_blob)
        .where(
            latest_masks(), Mask.source == MaskSource.TEACHER, Mask.probability_blob.is_not(None)
        )
        .order_by(Mask.portrait_id)
    )
    with reader(workspace.engine).begin() as connection:
        return [_Proposed(*row) for row in connection.execute(query)]


def _is_latest(connection: sa.Connection, mask_id: int) -> bool:
    return (
        connection.scalar(sa.select(Mask.id).where(Mask.id == mask_id, latest_masks())) is not None
    )
