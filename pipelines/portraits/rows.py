"""Portraits and their masks as rows: read with what is around them, written revision by revision.

Every function works in the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, MaskSource, Portrait, lock_rows
from pipelines.pictures.geometry import Face
from pipelines.pictures.rotation import Crop


@dataclass(frozen=True)
class PortraitRecord:
    """A portrait and what is around it.

    Attributes:
        portrait_id: its id.
        blob: store key of the crop.
        crop: where it lies in its image.
        face: in pixels of the crop.
        others: the image's other faces, in pixels of the crop.
        reasons: why a person has to look, whatever its masks are.
    """

    portrait_id: int
    blob: str
    crop: Crop
    face: Face
    others: list[Face]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewMask:
    """A mask revision whose blobs are in the store; fields as in `db.Mask`."""

    portrait_id: int
    source: MaskSource
    producer: str
    blob: str
    probability_blob: str | None
    verdict: str
    reasons: list[str]
    scores: dict[str, float]
    settings_id: int | None = None


def portraits(
    connection: Connection, *, ids: Iterable[int] | None = None, image_id: int | None = None
) -> dict[int, PortraitRecord]:
    """Portraits by id, by their own ids or by their image."""
    query = sa.select(
        Portrait.id,
        Portrait.blob,
        Portrait.face_box,
        Portrait.landmarks,
        Portrait.face_confidence,
        Portrait.crop_box,
        Portrait.rotation,
        Portrait.reasons,
        Image.faces,
    ).join(Image, Image.id == Portrait.image_id)
    if ids is not None:
        query = query.where(Portrait.id.in_(list(ids)))
    if image_id is not None:
        query = query.where(Portrait.image_id == image_id)
    return {
        row.id: _portrait_record(row) for row in connection.execute(query.order_by(Portrait.id))
    }


def save_mask(connection: Connection, mask: NewMask) -> int:
    """Add the next revision of a portrait's mask and return its id."""
    lock_rows(connection, Portrait, [mask.portrait_id])
    latest = sa.select(sa.func.coalesce(sa.func.max(Mask.revision), 0))
    latest = latest.where(Mask.portrait_id == mask.portrait_id)
    revision = (connection.scalar(latest) or 0) + 1
    insert = sa.insert(Mask).values(revision=revision, **asdict(mask)).returning(Mask.id)
    return int(connection.scalar(insert) or 0)


def _portrait_record(row: Any) -> PortraitRecord:
    x0, y0, x1, y1 = row.crop_box
    crop = Crop((x0, y0, x1, y1), row.rotation)
    own = stored_face(row.face_box, row.landmarks, row.face_confidence, row.rotation)
    seen = [
        stored_face(face["box"], face["landmarks"], face["confidence"], face.get("rotation", 0))
        for face in row.faces or []
    ]
    others = [crop.face(face) for face in seen if face.box != own.box]
    return PortraitRecord(row.id, row.blob, crop, crop.face(own), others, tuple(row.reasons))


def stored_face(
    box: Sequence[float], landmarks: Sequence[Sequence[float]], confidence: float, rotation: int
) -> Face:
    """A face as its columns have it, in pixels of the image."""
    x0, y0, x1, y1 = box
    return Face((x0, y0, x1, y1), tuple((x, y) for x, y in landmarks), confidence, rotation)
