"""Portraits one by one: the lines of `list` and what `show` needs."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, Portrait, Source, reader
from db import Verdict as Verdict
from pipelines.portraits.latest import latest_masks
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.store import Store
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True)
class PortraitLine:
    """One portrait with its latest mask; mask fields are None or empty while it has none.

    Attributes:
        photo_uri: percent-encoded, of the first file with this content; None when every such file
            has been overwritten with something else.
        photo_path: likewise, readable; a tar's member as ``/x.tar#member``.
        photo_sha256: of the file's bytes.
        portrait_id: as for `show`.
        face_box: x0, y0, x1, y1 in pixels of the upright image.
        crop_box: likewise, whole pixels, right and bottom exclusive.
        rotation: degrees clockwise by which that part was rotated to be the crop.
        portrait_path: absolute path of the crop.
        mask_path: absolute path of the mask.
        mask_source: teacher, student, import or human.
        verdict: on the mask.
        reasons: of the verdict.
        scores: of the mask.
    """

    photo_uri: str | None
    photo_path: str | None
    photo_sha256: str
    portrait_id: int
    face_box: list[float]
    crop_box: list[int]
    rotation: int
    portrait_path: str
    mask_path: str | None
    mask_source: str | None
    verdict: str | None
    reasons: list[str]
    scores: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def list_portraits(
    workspace: Workspace, verdicts: Collection[Verdict] = ()
) -> Iterator[PortraitLine]:
    """All portraits in the order of their ids, as they are at the first.

    Args:
        workspace: opened.
        verdicts: only those whose latest mask has one of them; none: all.
    """
    with reader(workspace.engine).begin() as connection:
        yield from portrait_lines(connection, workspace.store, verdicts)


def portrait_lines(
    connection: Connection,
    store: Store,
    verdicts: Collection[Verdict] = (),
    portrait_id: int | None = None,
) -> Iterator[PortraitLine]:
    """All portraits in the order of their ids, a page at a time.

    Args:
        connection: in a transaction.
        store: of the workspace.
        verdicts: only those whose latest mask has one of them; none: all.
        portrait_id: only this one.
    """
    same_image = Source.__table__.alias()
    first = sa.select(sa.func.min(same_image.c.id)).where(
        same_image.c.image_id == Portrait.image_id
    )
    query = (
        sa.select(
            Source.uri,
            Image.sha256,
            Portrait.id,
            Portrait.face_box,
            Portrait.crop_box,
            Portrait.rotation,
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
    if verdicts:
        query = query.where(Mask.verdict.in_(verdicts))
    if portrait_id is not None:
        query = query.where(Portrait.id == portrait_id)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield PortraitLine(
            photo_uri=row.uri,
            photo_path=uri_path(row.uri) if row.uri else None,
            photo_sha256=row.sha256,
            portrait_id=row.id,
            face_box=row.face_box,
            crop_box=row.crop_box,
            rotation=row.rotation,
            portrait_path=store.where(row.blob),
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
