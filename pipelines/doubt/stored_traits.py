"""Traits of a workspace's portraits: computed once from rows and crops, then remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Job, Mask, Portrait, PortraitTraits, Stage, reader
from pipelines.doubt.remembered import compute, remember
from pipelines.pictures.geometry import Face
from pipelines.pictures.rotation import rotated_face, rotated_size
from pipelines.pictures.traits import traits
from pipelines.portraits.rows import stored_face
from pipelines.work.hands import HERE
from pipelines.work.isolation import attempt
from pipelines.work.stage import StageWork
from pipelines.workspace.errors import ItemError, WorkspaceError
from pipelines.workspace.store import Store
from pipelines.workspace.workspace import Workspace

VERSION = 1
"""Of the traits' definition: raise it whenever one changes its meaning."""
_BATCH = 64
# A portrait takes a millisecond or two, a worker process some seconds to start.
_WORTH_A_PROCESS = 2000


def remember_traits(workspace: Workspace) -> int:
    """Let the workers compute the traits of all portraits with a mask that lack them.

    Args:
        workspace: opened.

    Returns:
        How many were computed; what cannot be is a failed job that says why.

    Raises:
        PipelineError: a blob is missing or damaged.
    """
    with reader(workspace.engine).begin() as connection:
        missing = list(connection.scalars(_missing()))
    return compute(
        workspace,
        Stage.TRAITS,
        trait_stages,
        VERSION,
        missing,
        worth_a_process=_WORTH_A_PROCESS,
        hands=HERE,
    )


def known_traits(connection: Connection) -> dict[int, dict[str, float]]:
    """Traits by portrait, of those that have been computed."""
    query = sa.select(PortraitTraits.portrait_id, PortraitTraits.values).where(
        PortraitTraits.version == VERSION
    )
    return {row.portrait_id: dict(row.values) for row in connection.execute(query)}


def trait_stages(workspace: Workspace, _threads: int) -> tuple["TraitsWork"]:
    """The stages of one worker."""
    return (TraitsWork(workspace.store),)


@dataclass(frozen=True)
class DetectedPortrait:
    """What the traits of a portrait are computed from.

    Attributes:
        face: in pixels of the image.
        image_size: width and height.
        blob: store key of the crop.
        sharpness: as the score of the first mask.
    """

    face: Face
    image_size: tuple[int, int]
    blob: str
    sharpness: float


class TraitsWork(StageWork[DetectedPortrait, dict[str, float]]):
    """Portrait → its traits."""

    stage = Stage.TRAITS
    batch_size = _BATCH

    def __init__(self, store: Store) -> None:
        self._store = store

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, DetectedPortrait]:
        """Portraits with the scores of their first mask, which know the sharpness."""
        query = (
            sa.select(
                Portrait.id,
                Portrait.face_box,
                Portrait.landmarks,
                Portrait.face_confidence,
                Portrait.rotation,
                Portrait.blob,
                Image.width,
                Image.height,
                Mask.scores,
            )
            .join(Image, Image.id == Portrait.image_id)
            .join(Mask, sa.and_(Mask.portrait_id == Portrait.id, Mask.revision == 1))
            .where(Portrait.id.in_([job.item_id for job in jobs]))
        )
        return {row.id: _detected(row) for row in connection.execute(query)}

    def run(self, items: Sequence[DetectedPortrait]) -> list[dict[str, float] | ItemError]:
        """Look at the crops and compute."""
        return [attempt(self._traits, item) for item in items]

    def save(self, connection: Connection, item_id: int, out: dict[str, float]) -> None:
        """Remember."""
        remember(connection, PortraitTraits, VERSION, {item_id: out})

    def _traits(self, item: DetectedPortrait) -> dict[str, float]:
        brightness = _brightness(self._store, item.blob)
        return asdict(traits(item.face, item.image_size, brightness, item.sharpness))


def _missing() -> "sa.Select[int]":
    known = sa.exists().where(
        PortraitTraits.portrait_id == Portrait.id, PortraitTraits.version == VERSION
    )
    return (
        sa.select(Portrait.id)
        .join(Mask, sa.and_(Mask.portrait_id == Portrait.id, Mask.revision == 1))
        .where(~known)
        .order_by(Portrait.id)
    )


def _detected(row: sa.Row[*tuple[Any, ...]]) -> DetectedPortrait:
    in_photo = stored_face(row.face_box, row.landmarks, row.face_confidence, row.rotation)
    size = row.width, row.height
    face = rotated_face(in_photo, size, row.rotation)
    upright = rotated_size(size, row.rotation)
    return DetectedPortrait(face, upright, row.blob, row.scores["sharpness"])


def _brightness(store: Store, blob: str) -> float:
    import cv2
    import numpy as np

    # An eighth of the size is decoded: a mean needs no more, and it is many times as fast.
    data = np.frombuffer(store.get(blob), np.uint8)
    grey = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if grey is None:
        raise WorkspaceError(f"{store.where(blob)}: this blob is no image")
    return float(grey.mean())
