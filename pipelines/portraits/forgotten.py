"""Forgotten photos when they are offered again: told by their bytes, copies by their looks.

The operator sees what was refused, and may let a file in: a stranger who looks alike, or somebody
who changed their mind.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    Admitted,
    Forgotten,
    Image,
    JobRow,
    JobState,
    Source,
    Stage,
    among,
    chunks,
    insert_new,
)
from pipelines.pictures.near_duplicates.tombstone import Tombstones
from pipelines.workspace.errors import ItemError, PipelineError
from pipelines.workspace.uris import uri_path

SAME, ALIKE = "forgotten", "like_forgotten"
"""Reasons of a refusal: the very bytes, or a copy."""


@dataclass(frozen=True)
class Refused:
    """A file that was offered and not taken in.

    Attributes:
        path: of the file, as people write it.
        sha256: of its bytes, if they were recorded: those of a forgotten photo are not.
        reason: `SAME` or `ALIKE`.
        message: what it is taken for.
    """

    path: str
    sha256: str | None
    reason: str
    message: str


class Watch:
    """The tombstones of one moment, for many pictures."""

    def __init__(self, connection: Connection, after: int = 0) -> None:
        """Read them.

        Args:
            connection: in a transaction.
            after: leave out those up to this id, which were compared before.
        """
        query = sa.select(Forgotten.id, Forgotten.forgotten_at, Forgotten.tombstone)
        query = query.where(Forgotten.id > after).order_by(Forgotten.id)
        rows = connection.execute(query).all()
        self.last_id = rows[-1].id if rows else after
        self._seen = [row for row in rows if row.tombstone is not None]
        self._tombstones = Tombstones([row.tombstone for row in self._seen])

    def refuse(self, sha256: str, descriptor: bytes, *, admitted: bool) -> None:
        """Refuse a copy of a forgotten photo.

        Args:
            sha256: of the file's bytes.
            descriptor: of the picture.
            admitted: whether the operator let these bytes in.

        Raises:
            ItemError: `like_forgotten`.
        """
        at = None if admitted else self._tombstones.like(descriptor)
        if at is None:
            return
        day = _day(self._seen[at].forgotten_at)
        raise ItemError(
            ALIKE,
            f"looks like a copy of the photo that was forgotten on {day} and is not taken in; if "
            f"it is another one, `dataengine forget --lift {sha256}`",
        )


def refused_bytes(connection: Connection, sha256s: Iterable[str]) -> dict[str, ItemError]:
    """Of these bytes those of forgotten photos that nobody let in, and the refusal of each."""
    days: dict[str, datetime] = {}
    for some in chunks(dict.fromkeys(sha256s)):
        query = sa.select(Forgotten.sha256, Forgotten.forgotten_at)
        days |= {
            row[0]: row[1] for row in connection.execute(query.where(among(Forgotten.sha256, some)))
        }
    return {
        sha256: ItemError(
            SAME,
            f"this photo was forgotten on {_day(days[sha256])} and is not taken in again; leave "
            f"the file out, or `dataengine forget --lift {sha256}`",
        )
        for sha256 in days.keys() - admitted(connection, days)
    }


def admitted(connection: Connection, sha256s: Iterable[str]) -> set[str]:
    """Of these bytes those that the operator let in."""
    found: set[str] = set()
    for some in chunks(dict.fromkeys(sha256s)):
        query = sa.select(Admitted.sha256).where(among(Admitted.sha256, some))
        found.update(connection.scalars(query))
    return found


def admit(connection: Connection, sha256: str) -> None:
    """Let bytes in that are refused; everything else stays refused, also their copies.

    Raises:
        PipelineError: nothing with these bytes was refused.
    """
    is_forgotten = sa.select(Forgotten.id).where(Forgotten.sha256 == sha256)
    refused_copy = _failed(Stage.DETECT).where(Image.sha256 == sha256)
    if connection.scalar(is_forgotten) is None and connection.execute(refused_copy).first() is None:
        raise PipelineError(
            f"{sha256}: nothing with these bytes was refused; `dataengine forget --refused` lists "
            "what was"
        )
    insert_new(connection, Admitted, [{"sha256": sha256}])


def refused(connection: Connection) -> list[Refused]:
    """What was offered, taken for a forgotten photo, and not let in since."""
    let_in = set(connection.scalars(sa.select(Admitted.sha256)))
    return [
        Refused(uri_path(row.uri), row.sha256, row.reason, row.error)
        for stage in (Stage.READ, Stage.DETECT)
        for row in connection.execute(_failed(stage))
        if row.sha256 not in let_in
    ]


def _failed(stage: Stage) -> "sa.Select[*tuple[Any, ...]]":
    """Refused items of a stage, a row a file."""
    query = sa.select(Source.uri, Image.sha256, JobRow.reason, JobRow.error)
    if stage is Stage.READ:
        query = query.select_from(JobRow).join(Source, Source.id == JobRow.item_id)
        query = query.outerjoin(Image, Image.id == Source.image_id)
    else:
        query = query.select_from(JobRow).join(Image, Image.id == JobRow.item_id)
        query = query.join(Source, Source.image_id == Image.id)
    wanted = (JobRow.stage == stage, JobRow.state == JobState.FAILED)
    return query.where(*wanted, JobRow.reason.in_([SAME, ALIKE])).order_by(Source.id)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
