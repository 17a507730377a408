"""Portraits one by one: the lines of `list` and what `show` needs."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from db import Image, Mask, Portrait, Source, reader
from db import Verdict as Verdict
from pipelines.portraits.rows import latest_masks
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.store import Store
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True)
class PortraitLine:
    """One portrait with its latest mask; mask fields are None or empty while it has none.

    Attributes:
        image_uri: percent-encoded, of the first file with this content; None when every such file
            has been overwritten with something else.
        image_path: likewise, readable; a tar's member as ``/x.tar#member``.
        image_sha256: of the file's bytes.
        portrait_id: as for `show`.
        face_box: x0, y0, x1, y1 in pixels of the upright image.
        crop_box: likewise, whole pixels, right and bottom exclusive.
        crop_path: absolute path of the crop.
        mask_path: absolute path of the mask.
        mask_source: teacher, student, import or human.
        verdict: on the mask.
        reasons: of the verdict.
        scores: of the mask.
    """

    image_uri: str | None
    image_path: str | None
    image_sha256: str
    portrait_id: int
    face_box: list[float]
    crop_box: list[int]
    crop_path: str
    mask_path: str | None
    mask_source: str | None
    verdict: str | None
    reasons: list[str]
    scores: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def list_portraits(workspace: Workspace, verdict: Verdict | None = None) -> Iterator[PortraitLine]:
    """All portraits in the order of their ids, as they are at the first.

    Args:
        workspace: opened.
        verdict: only those whose latest mask has it.
    """
    with reader(workspace.engine).begin() as connection:
        yield from portrait_lines(connection, workspace.store, verdict)


def portrait_lines(
    connection: Connection,
    store: Store,
    verdict: Verdict | None = None,
    portrait_id: int | None = None,
) -> Iterator[PortraitLine]:
    """All portraits in the order of their ids, a page at a time.

    Args:
        connection: in a transaction.
        store: of the workspace.
        verdict: only those whose latest mask has it.
        portrait_id: only this one.
    """
    same_image = aliased(Source)
    first = sa.select(sa.func.min(same_image.id)).where(same_image.image_id == Portrait.image_id)
    query = (
        sa.select(
            Source.uri,
            Image.sha256,
            Portrait.id,
            Portrait.face_box,
            Portrait.crop_box,
            Portrait.blob,
            Mask.blob.label("mask"),
            Mask.source,
            Mask.verdict,
            Mask.reasons,
            Mask.scores,
        )
        .join(Image, Image.id == Portrait.image_id)
        .outerjoin(Source, Source.id == first.correlate(Portrait).scalar_subquery())
        .outerjoin(Mask, sa.and_(Mask.portrait_id == Portrait.id, latest_masks()))
        .order_by(Portrait.id)
    )
    if verdict is not None:
        query = query.where(Mask.verdict == verdict)
    if portrait_id is not None:
        query = query.where(Portrait.id == portrait_id)
    for row in connection.execution_options(yield_per=1000).execute(query):
        yield PortraitLine(
            image_uri=row.uri,
            image_path=uri_path(row.uri) if row.uri else None,
            image_sha256=row.sha256,
            portrait_id=row.id,
            face_box=row.face_box,
            crop_box=row.crop_box,
            crop_path=store.where(row.blob),
            mask_path=store.where(row.mask) if row.mask else None,
            mask_source=row.source and str(row.source),
            verdict=row.verdict and str(row.verdict),
            reasons=row.reasons or [],
            scores=row.scores or {},
        )


def find_portrait(connection: Connection, store: Store, portrait_id: int) -> PortraitLine:
    """One portrait.

    Raises:
        PipelineError: there is none of this id.
    """
    for line in portrait_lines(connection, store, portrait_id=portrait_id):
        return line
    raise PipelineError(f"no portrait {portrait_id}; `dataengine list` shows their ids")
