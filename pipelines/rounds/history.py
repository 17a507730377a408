"""All runs of all rounds, for the table of `rounds`."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Portrait, Release, ReleaseItem, Run, Split, reader
from pipelines.portraits.splits import places
from pipelines.rounds.promoting import current_run
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True)
class RoundLine:
    """One training run.

    Attributes:
        round: that it belongs to.
        folder: of the run, relative to the workspace.
        model: name of the network.
        splits: portraits of the release by split.
        trust: portraits of the release by why their masks are trusted.
        metrics: on the test split; None while it is not measured.
        gate: how it compared; None likewise.
        seconds: of training.
        promoted: it was made the current student.
        forced: by hand.
        is_current: it still is.
        leaked: photos it was trained on that turned out to be near-duplicates of test's since.
    """

    round: int
    folder: str
    model: str
    splits: dict[str, int]
    trust: dict[str, int]
    metrics: dict[str, Any] | None
    gate: dict[str, Any] | None
    seconds: float
    promoted: bool
    forced: bool
    is_current: bool
    leaked: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def list_rounds(workspace: Workspace) -> list[RoundLine]:
    """All runs of all rounds, by round and age."""
    with reader(workspace.engine).begin() as connection:
        return round_lines(connection)


def round_lines(connection: Connection) -> list[RoundLine]:
    """All runs, by round and age."""
    query = (
        sa.select(Run, Release.round)
        .join(Release, Release.id == Run.release_id)
        .order_by(Release.round, Run.id)
    )
    rows = connection.execute(query).all()
    current = current_run(connection)
    leaked = _leaked(connection)
    return [
        RoundLine(
            round=row.round,
            folder=row.folder,
            model=row.request["config"]["model"],
            splits=_counts(connection, row.release_id, ReleaseItem.split),
            trust=_counts(connection, row.release_id, ReleaseItem.trust),
            metrics=row.metrics,
            gate=row.gate,
            seconds=row.seconds,
            promoted=row.promotion is not None,
            forced=row.forced,
            is_current=row.id == current,
            leaked=leaked[row.release_id],
        )
        for row in rows
    ]


def _counts(connection: Connection, release_id: int, column: Any) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(ReleaseItem.release_id == release_id)
    return {str(value): number for value, number in connection.execute(query.group_by(column))}


def _leaked(connection: Connection) -> Counter[int]:
    """Photos learnt from, by release, whose group is used for something stricter by now."""
    strict = {image_id for image_id, place in places(connection).items() if place.left_out}
    query = (
        sa.select(ReleaseItem.release_id, Portrait.image_id)
        .join(Portrait, Portrait.id == ReleaseItem.portrait_id)
        .where(ReleaseItem.split == Split.TRAIN)
        .distinct()
    )
    return Counter(
        release_id for release_id, image_id in connection.execute(query) if image_id in strict
    )
