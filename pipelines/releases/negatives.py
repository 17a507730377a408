"""Photos without anybody in them: confirmed by a person or an audit, released with an empty mask.

That no face was found proves nothing: people turn their backs. So a photo becomes a negative only
when somebody has said that nobody is in it, or an audit of such photos bounds how many show people.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    Image,
    MaskSource,
    Negative,
    NegativeAudit,
    Outcome,
    Split,
    Trust,
    chunks,
    insert_new,
    reader,
)
from pipelines.ingest.scan import Given, scan
from pipelines.origins.origin import Origin, merged
from pipelines.origins.rows import origins_of, refusals
from pipelines.pictures.decode import decode, encode_jpeg
from pipelines.portraits.splits import Placed, places
from pipelines.releases.entry import Entry
from pipelines.workspace.errors import ItemError, PipelineError
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.settings import PolicySettings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace

LONGEST_SIDE_PX = 1024
"""Larger photos are shrunk: nothing in a negative is as fine as an outline."""

PRODUCER = "nobody is in it"


@dataclass(frozen=True, kw_only=True)
class ConfirmRequest:
    """What somebody has seen.

    Attributes:
        paths: folders, files, lists, archives and addresses of photos that were ingested.
        by: who looked at them.
    """

    paths: Sequence[Given]
    by: str


@dataclass(kw_only=True)
class Confirmed:
    """What became of it.

    Attributes:
        new: photos that are negatives now.
        known: those that were before.
        refused: path and reason of those that are none.
    """

    new: int = 0
    known: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def confirm_faceless(
    workspace: Workspace, request: ConfirmRequest, progress: Progress = SILENT
) -> Confirmed:
    """Note that nobody is in these photos.

    Args:
        workspace: opened.
        request: which photos, and who says so.
        progress: told of each.

    Raises:
        PipelineError: nobody says so.
        ScanError: a path cannot be read.
        WorkspaceError: a blob cannot be written.
    """
    if not request.by.strip():
        raise PipelineError("say who looked at the photos: --by NAME")
    result = Confirmed()
    found = scan(request.paths, sources=workspace.sources, follow=True)
    for file in tracked(progress, found, "confirming", "photos"):
        try:
            if confirm_file(workspace, file.uri, request.by.strip()):
                result.new += 1
            else:
                result.known += 1
        except ItemError as error:
            result.refused.append((uri_path(file.uri), str(error)))
    return result


def negative_entries(
    connection: Connection, policy: PolicySettings, *, by_audit: bool
) -> Iterator[Entry]:
    """Negatives as members of a release; those that the policy refuses are left out.

    Args:
        connection: in a transaction.
        policy: which photos may be used.
        by_audit: also those that nobody looked at, by an audit.
    """
    query = (
        sa.select(
            Negative.image_id,
            Negative.blob,
            Negative.mask_blob,
            Negative.width,
            Negative.height,
            Negative.confirmed_at,
            Negative.audit_id,
            NegativeAudit.certified,
            NegativeAudit.max_error,
            NegativeAudit.confidence,
            Image.sha256,
            Image.width.label("photo_width"),
            Image.height.label("photo_height"),
        )
        .join(Image, Image.id == Negative.image_id)
        .outerjoin(NegativeAudit, NegativeAudit.id == Negative.audit_id)
        .order_by(Negative.image_id)
    )
    for rows in chunks(connection.execute(query.execution_options(yield_per=1000))):
        photos = [row.image_id for row in rows]
        placed, origins = places(connection, photos), origins_of(connection, photos)
        refused = refusals(photos, origins, policy)
        for row in rows:
            place = placed.get(row.image_id)
            if place is None or place.left_out or row.image_id in refused:
                continue
            # As with masks: what nobody has seen is under no certificate good enough to measure by.
            if row.audit_id is None or (
                by_audit and row.certified and place.split is not Split.TEST
            ):
                yield _entry(row, place, merged(origins.get(row.image_id, [])))


def confirm_file(workspace: Workspace, uri: str, by: str, audit_id: int | None = None) -> bool:
    """Note that nobody is in the photo of a file; whether that is new.

    Args:
        workspace: opened.
        uri: of the file.
        by: who says so.
        audit_id: on which it rests; None: on looking at it.

    Raises:
        ItemError: it cannot be read, is none of the workspace, or has a face.
        WorkspaceError: a blob cannot be written.
    """
    limits = workspace.settings.decode
    data = workspace.sources.read(uri)
    sha256 = hashlib.sha256(data).hexdigest()
    with reader(workspace.engine).begin() as connection:
        query = sa.select(Image.id, Image.outcome).where(Image.sha256 == sha256)
        image = connection.execute(query).one_or_none()
    if image is None:
        raise ItemError("unknown", "is no photo of this workspace; ingest it first")
    if image.outcome is not Outcome.NO_FACE:
        raise ItemError("has_face", "a face was found in it, or it was not searched for any")
    rgb = decode(data, max_pixels=limits.max_pixels).rgb
    height, width = rgb.shape[:2]
    factor = min(1.0, LONGEST_SIDE_PX / max(width, height))
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = rgb.shape[:2]
    empty = cv2.imencode(".png", np.zeros((height, width), np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])[
        1
    ].tobytes()
    row = {
        "image_id": image.id,
        "blob": workspace.store.put(
            BlobKind.PORTRAIT, encode_jpeg(rgb, workspace.settings.portrait.jpeg_quality)
        ),
        "mask_blob": workspace.store.put(BlobKind.MASK, empty),
        "width": width,
        "height": height,
        "confirmed_by": by,
        "confirmed_at": datetime.now(UTC),
        "audit_id": audit_id,
    }
    with workspace.engine.begin() as connection:
        added = insert_new(connection, Negative, [row])
        if not added and audit_id is None:
            # Whoever looks at it knows better than an audit.
            by_audit = sa.update(Negative).where(
                Negative.image_id == image.id, Negative.audit_id.is_not(None)
            )
            seen = {"confirmed_by": by, "confirmed_at": row["confirmed_at"], "audit_id": None}
            connection.execute(by_audit.values(seen))
    workspace.intents.settle()
    return bool(added)


def _by_audit(row: Any) -> str:
    return (
        f"{PRODUCER}, by audit {row.audit_id}: at most {row.max_error:.2%} of such photos show "
        f"somebody, at {row.confidence:.0%} confidence"
    )


def _entry(row: Any, place: Placed, origin: Origin | None) -> Entry:
    return Entry(
        name=f"{row.sha256[:16]}-negative",
        split=place.split,
        trust=Trust.ACCEPTED if row.audit_id is None else Trust.CERTIFIED,
        portrait_id=None,
        mask_id=None,
        group_id=place.group_id,
        image_blob=row.blob,
        mask_blob=row.mask_blob,
        width=row.width,
        height=row.height,
        photo_sha256=row.sha256,
        crop_box=(0, 0, row.photo_width, row.photo_height),
        face_height=0.0,
        mask_source=MaskSource.HUMAN,
        mask_revision=1,
        producer=PRODUCER if row.audit_id is None else _by_audit(row),
        verdict="candidate",
        reasons=(),
        scores={},
        decided_at=row.confirmed_at,
        origin=origin,
        negative=True,
    )
