"""Portraits and their masks as rows: read with what is around them, written revision by revision.

Every function works in the caller's transaction.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, MaskSource, Portrait, among, chunks, insert_rows, lock_rows
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
        query = query.where(among(Portrait.id, ids))
    if image_id is not None:
        query = query.where(Portrait.image_id == image_id)
    return {
        row.id: _portrait_record(row) for row in connection.execute(query.order_by(Portrait.id))
    }


def save_mask(connection: Connection, mask: NewMask) -> int:
    """Add the next revision of a portrait's mask and return its id."""
    return save_masks(connection, [mask])[0]


def save_masks(connection: Connection, masks: Sequence[NewMask]) -> list[int]:
    """Add the next revisions of portraits' masks, one after the other, and return their ids."""
    latest: Counter[int] = Counter()
    for ids in chunks(sorted({mask.portrait_id for mask in masks})):
        lock_rows(connection, Portrait, ids)
        query = sa.select(Mask.portrait_id, sa.func.max(Mask.revision))
        query = query.where(among(Mask.portrait_id, ids)).group_by(Mask.portrait_id)
        latest.update({row[0]: row[1] for row in connection.execute(query)})
    rows = []
    for mask in masks:
        latest[mask.portrait_id] += 1
        # Not `asdict`, which copies scores and reasons deeply.
        rows.append({**vars(mask), "revision": latest[mask.portrait_id]})
    made = insert_rows(connection, Mask, rows, ("id", "portrait_id", "revision"))
    by_revision = {(portrait, revision): key for key, portrait, revision in made}
    return [by_revision[row["portrait_id"], row["revision"]] for row in rows]


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
