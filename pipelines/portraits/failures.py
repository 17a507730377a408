"""What failed, one by one: each job that could not be done, with the file that it was about."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import JobRow, JobState, Portrait, Source, reader
from db import Stage as Stage
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace

_OF_IMAGES = (Stage.DETECT, Stage.IMPORT)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A job that could not be done.

    Attributes:
        path: of the file, a tar's member as ``/x.tar#member``; of several with this content the
            first; None when each has been overwritten with something else.
        stage: what was tried.
        reason: machine-readable code.
        error: the whole of it, for people.
        portrait_id: of the portrait that it was about; None: it was about the whole file.
    """

    path: str | None
    stage: str
    reason: str
    error: str
    portrait_id: int | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def list_failures(workspace: Workspace, stage: Stage | None = None) -> Iterator[Failure]:
    """All of them, in the order of the stages and of what they were about.

    Args:
        workspace: opened.
        stage: only those of this one.
    """
    with reader(workspace.engine).begin() as connection:
        yield from failure_lines(connection, stage)


def failure_lines(connection: Connection, stage: Stage | None = None) -> Iterator[Failure]:
    """All of them, in the order of the stages and of what they were about.

    Args:
        connection: in a transaction.
        stage: only those of this one.
    """
    for each in Stage if stage is None else [stage]:
        yield from _of_stage(connection, each)


def _of_stage(connection: Connection, stage: Stage) -> Iterator[Failure]:
    first = sa.select(sa.func.min(Source.id))
    columns = (Source.uri, JobRow.reason, JobRow.error)
    query: Any = sa.select(*columns, sa.null().label("portrait_id")).select_from(JobRow)
    if stage is Stage.READ:
        query = query.outerjoin(Source, Source.id == JobRow.item_id)
    elif stage in _OF_IMAGES:
        of_image = first.where(Source.image_id == JobRow.item_id).correlate(JobRow)
        query = query.outerjoin(Source, Source.id == of_image.scalar_subquery())
    else:
        of_portrait = first.where(Source.image_id == Portrait.image_id).correlate(Portrait)
        query = (
            sa.select(*columns, Portrait.id.label("portrait_id"))
            .select_from(JobRow)
            .outerjoin(Portrait, Portrait.id == JobRow.item_id)
            .outerjoin(Source, Source.id == of_portrait.scalar_subquery())
        )
    query = query.where(JobRow.stage == stage, JobRow.state == JobState.FAILED)
    rows = connection.execution_options(yield_per=1000).execute(query.order_by(JobRow.item_id))
    for uri, reason, error, portrait_id in rows:
        yield Failure(
            path=uri_path(uri) if uri else None,
            stage=str(stage),
            reason=reason or "",
            error=error or "",
            portrait_id=portrait_id,
        )
