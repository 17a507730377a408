"""From a file to what it is here: files are known by their bytes, wherever they lie."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Forgotten, Image, Mask, Negative, Portrait, ReleaseItem, Source
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.files import open_regular
from pipelines.workspace.store import BlobKind, blob_key
from pipelines.workspace.uris import named_uris


class Kind(StrEnum):
    """What a file can be."""

    PHOTO = "photo"  # as it was taken in
    IMAGE = "image"  # the crop of a portrait
    MASK = "mask"  # a revision of a portrait's mask


@dataclass(frozen=True)
class Found:
    """What bytes are in a workspace.

    Attributes:
        sha256: of the bytes.
        kind: what they are.
        image_id: for a raw photo, while it is not forgotten.
        portrait_ids: whose crop or mask they are, or those of the raw photo.
        forgotten_at: when the photo was forgotten, if it was.
        forgotten_ids: tombstones of forgotten photos that these bytes belong to.
    """

    sha256: str
    kind: Kind
    image_id: int | None
    portrait_ids: Sequence[int]
    forgotten_at: datetime | None = None
    forgotten_ids: Sequence[int] = ()


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in lower-case hexadecimal.

    Raises:
        PipelineError: there is no such file, or it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise PipelineError(
            f"{path}: no such file; files are known by their bytes, so give the file or a copy"
        ) from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror or error})") from error


def digest_from(connection: Connection, address: str) -> str:
    """SHA-256 of the photo that was taken in from an address, as it was then.

    Raises:
        PipelineError: none was.
    """
    query = sa.select(Image.sha256).join(Source, Source.image_id == Image.id)
    found = connection.scalar(query.where(Source.uri.in_(named_uris(address))))
    if found is None:
        raise PipelineError(f"{address}: no photo was taken in from there; `dataengine list`")
    return found


def named_digest(name: str) -> str:
    """The SHA-256 that a name is, or that of the file it names.

    Raises:
        PipelineError: there is no such file, or it cannot be read.
    """
    return name.lower() if re.fullmatch(r"[0-9a-fA-F]{64}", name) else digest_of(Path(name))


def find(connection: Connection, sha256: str, name: str | None = None) -> Found | None:
    """What the bytes with this hash are; None if nothing here has, or had, just these.

    Args:
        connection: in a transaction.
        sha256: of the bytes.
        name: of the file, without suffix: chooses among released portraits that share a mask (two
            empty ones of a size are the same bytes).
    """
    image_id = connection.scalar(sa.select(Image.id).where(Image.sha256 == sha256))
    if image_id is not None:
        query = sa.select(Portrait.id).where(Portrait.image_id == image_id)
        own = list(connection.scalars(query.order_by(Portrait.ordinal)))
        return Found(sha256, Kind.PHOTO, image_id, own)
    shown = sa.select(Negative.image_id).where(Negative.blob == blob_key(BlobKind.PORTRAIT, sha256))
    negative = connection.scalar(shown)
    if negative is not None:
        return Found(sha256, Kind.IMAGE, negative, ())
    for kind in (Kind.IMAGE, Kind.MASK):
        released = _released(connection, kind, sha256)
        ids = _portraits(connection, kind, sha256)
        ids |= {row.portrait_id for row in released if row.portrait_id is not None}
        named = {row.portrait_id for row in released if row.name == name} - {None}
        gone = {row.forgotten_id for row in released} - {None}
        if ids:
            return Found(sha256, kind, None, sorted(named or ids))
        if gone:
            return _forgotten(connection, sha256, kind, Forgotten.id.in_(gone))
    return _forgotten(connection, sha256, Kind.PHOTO, Forgotten.sha256 == sha256)


def _released(connection: Connection, kind: Kind, sha256: str) -> Sequence[Any]:
    column = ReleaseItem.image_sha256 if kind is Kind.IMAGE else ReleaseItem.mask_sha256
    query = sa.select(ReleaseItem.name, ReleaseItem.portrait_id, ReleaseItem.forgotten_id)
    rows: Sequence[Any] = connection.execute(query.where(column == sha256)).all()
    return rows


def _portraits(connection: Connection, kind: Kind, sha256: str) -> set[int]:
    if kind is Kind.IMAGE:
        key = blob_key(BlobKind.PORTRAIT, sha256)
        return set(connection.scalars(sa.select(Portrait.id).where(Portrait.blob == key)))
    key = blob_key(BlobKind.MASK, sha256)
    return set(connection.scalars(sa.select(Mask.portrait_id).where(Mask.blob == key)))


def _forgotten(
    connection: Connection, sha256: str, kind: Kind, condition: sa.ColumnElement[bool]
) -> Found | None:
    query = sa.select(Forgotten.id, Forgotten.forgotten_at).where(condition)
    rows = connection.execute(query.order_by(Forgotten.id)).all()
    if not rows:
        return None
    ids = [row.id for row in rows]
    return Found(sha256, kind, None, (), rows[-1].forgotten_at, ids)
