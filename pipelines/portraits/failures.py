"""What failed, one by one: each job that could not be done, with the file that it was about."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import ITEM_TABLES, JobRow, JobState, Mask, Portrait, Source, reader
from db import Stage as Stage
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A job that could not be done.

    Attributes:
        path: of the file, a tar's member as ``/x.tar#member``; of several with this content the
            first; None when each has been overwritten with something else.
        stage: what was tried.
        reason: machine-readable code.
        message: the whole of it, for people.
        portrait_id: of the portrait that it was about; None: it was about the whole file.
    """

    path: str | None
    stage: str
    reason: str
    message: str
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
    for each in ITEM_TABLES if stage is None else (stage,):
        yield from _of_stage(connection, each)


def _of_stage(connection: Connection, stage: Stage) -> Iterator[Failure]:
    table = ITEM_TABLES[stage]
    of_portraits = table in (Portrait, Mask)
    columns = (Source.uri, JobRow.reason, JobRow.error)
    portrait_id: Any = Portrait.id if of_portraits else sa.null()
    query: Any = sa.select(*columns, portrait_id.label("portrait_id")).select_from(JobRow)
    if table is Source:
        query = query.outerjoin(Source, Source.id == JobRow.item_id)
    else:
        if table is Mask:
            query = query.outerjoin(Mask, Mask.id == JobRow.item_id)
        if of_portraits:
            known = JobRow.item_id if table is Portrait else Mask.portrait_id
            query = query.outerjoin(Portrait, Portrait.id == known)
        image_id = Portrait.image_id if of_portraits else JobRow.item_id
        first = sa.select(sa.func.min(Source.id)).where(Source.image_id == image_id)
        first_file = first.correlate(JobRow, Portrait).scalar_subquery()
        query = query.outerjoin(Source, Source.id == first_file)
    query = query.where(JobRow.stage == stage, JobRow.state == JobState.FAILED)
    in_order = query.order_by(JobRow.item_id).execution_options(yield_per=1000)
    rows = connection.execute(in_order)
    for uri, reason, error, of_portrait in rows:
        yield Failure(
            path=uri_path(uri) if uri else None,
            stage=str(stage),
            reason=reason or "",
            message=error or "",
            portrait_id=of_portrait,
        )
