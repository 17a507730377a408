"""Portraits and their masks as rows: read with what is around them, written revision by revision.

Every function works in the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, MaskSource, Portrait
from pipelines.pictures.geometry import CropBox, Face


@dataclass(frozen=True)
class PortraitRecord:
    """A portrait and what is around it.

    Attributes:
        portrait_id: its id.
        blob: store key of the crop.
        crop_box: in pixels of the upright image.
        face: in pixels of the crop.
        others: the image's other faces, in pixels of the crop.
    """

    portrait_id: int
    blob: str
    crop_box: CropBox
    face: Face
    others: list[Face]


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
    latest = sa.select(sa.func.coalesce(sa.func.max(Mask.revision), 0))
    latest = latest.where(Mask.portrait_id == mask.portrait_id)
    revision = (connection.scalar(latest) or 0) + 1
    insert = sa.insert(Mask).values(revision=revision, **asdict(mask)).returning(Mask.id)
    return int(connection.scalar(insert) or 0)


def _portrait_record(row: Any) -> PortraitRecord:
    x0, y0, x1, y1 = row.crop_box
    own = _face(row.face_box, row.landmarks, row.face_confidence)
    seen = [_face(face["box"], face["landmarks"], face["confidence"]) for face in row.faces or []]
    others = [face.shifted(-x0, -y0) for face in seen if face.box != own.box]
    return PortraitRecord(row.id, row.blob, (x0, y0, x1, y1), own.shifted(-x0, -y0), others)


def _face(box: Sequence[float], landmarks: Sequence[Sequence[float]], confidence: float) -> Face:
    x0, y0, x1, y1 = box
    return Face((x0, y0, x1, y1), tuple((x, y) for x, y in landmarks), confidence)
