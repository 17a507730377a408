"""Traits of a workspace's portraits: computed once from rows and crops, then remembered."""

from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, Portrait, PortraitTraits, reader
from pipelines.doubt.remembered import remember
from pipelines.doubt.traits import traits
from pipelines.pictures.geometry import Face
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.store import Store
from pipelines.workspace.workspace import Workspace

VERSION = 1
"""Of the traits' definition: raise it whenever one changes its meaning."""
_AT_ONCE = 500


def remember_traits(workspace: Workspace) -> int:
    """Compute the traits of all portraits with a mask that lack them.

    Args:
        workspace: opened.

    Returns:
        How many were computed.

    Raises:
        WorkspaceError: a blob is missing or damaged.
    """
    done = 0
    while True:
        with reader(workspace.engine).begin() as connection:
            rows = connection.execute(_missing().limit(_AT_ONCE)).all()
        if not rows:
            return done
        new = {row.id: _values(workspace.store, row) for row in rows}
        remember(workspace, PortraitTraits, VERSION, new)
        done += len(new)


def known_traits(connection: Connection) -> dict[int, dict[str, float]]:
    """Traits by portrait, of those that have been computed."""
    query = sa.select(PortraitTraits.portrait_id, PortraitTraits.values).where(
        PortraitTraits.version == VERSION
    )
    return {row.portrait_id: dict(row.values) for row in connection.execute(query)}


def _missing() -> sa.Select[*tuple[Any, ...]]:
    """Portraits without traits, with the scores of their first mask, which know the sharpness."""
    known = sa.exists().where(
        PortraitTraits.portrait_id == Portrait.id, PortraitTraits.version == VERSION
    )
    return (
        sa.select(
            Portrait.id,
            Portrait.face_box,
            Portrait.landmarks,
            Portrait.face_confidence,
            Portrait.blob,
            Image.width,
            Image.height,
            Mask.scores,
        )
        .join(Image, Image.id == Portrait.image_id)
        .join(Mask, sa.and_(Mask.portrait_id == Portrait.id, Mask.revision == 1))
        .where(~known)
        .order_by(Portrait.id)
    )


def _values(store: Store, row: sa.Row[*tuple[Any, ...]]) -> dict[str, float]:
    x0, y0, x1, y1 = row.face_box
    face = Face((x0, y0, x1, y1), tuple((x, y) for x, y in row.landmarks), row.face_confidence)
    brightness = _brightness(store, row.blob)
    return asdict(traits(face, (row.width, row.height), brightness, row.scores["sharpness"]))


def _brightness(store: Store, blob: str) -> float:
    # An eighth of the size is decoded: a mean needs no more, and it is many times as fast.
    data = np.frombuffer(store.get(blob), np.uint8)
    grey = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if grey is None:
        raise WorkspaceError(f"{store.where(blob)}: this blob is no image")
    return float(grey.mean())
