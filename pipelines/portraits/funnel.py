"""Where everything stands: the numbers behind `status`."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, JobRow, JobState, Mask, Outcome, Portrait, Source, Stage, Verdict, queue
from pipelines.portraits.latest import latest_masks


@dataclass(frozen=True)
class PhotoCounts:
    """Files and their distinct contents.

    Attributes:
        seen: files offered; `unique + duplicates + unread` of them, as long as no content was
            overwritten with another: it stays, without a file.
        unique: distinct contents.
        duplicates: further files of the same content.
        unread: files not read yet, or never readable.
        failed: files that could not be read, and contents that could not be searched for faces.
        no_face: contents without a face that could become a portrait.
        with_portraits: contents with portraits.
    """

    seen: int
    unique: int
    duplicates: int
    unread: int
    failed: int
    no_face: int
    with_portraits: int


@dataclass(frozen=True)
class Funnel:
    """The state of a workspace.

    Attributes:
        photos: files and contents.
        failures: failed jobs by reason.
        failures_by_stage: the same by stage, those without any left out.
        portraits: number of portraits.
        verdicts: portraits by the verdict on their latest mask.
        reasons: why masks are not candidates and photos without portraits, by reason.
        jobs: stage → state → number.
    """

    photos: PhotoCounts
    failures: dict[str, int]
    failures_by_stage: dict[str, dict[str, int]]
    portraits: int
    verdicts: dict[str, int]
    reasons: dict[str, int]
    jobs: dict[str, dict[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def funnel(connection: Connection) -> Funnel:
    """Count everything, in one consistent read."""
    failed = _failures(connection)
    in_total: Counter[str] = Counter()
    for of_stage in failed.values():
        in_total.update(of_stage)
    verdicts = dict.fromkeys(map(str, Verdict), 0) | _grouped(
        connection, Mask.verdict, latest_masks()
    )
    return Funnel(
        photos=_photos(connection),
        failures=_by_number(in_total),
        failures_by_stage=failed,
        portraits=_count(connection, sa.select(sa.func.count()).select_from(Portrait)),
        verdicts=verdicts,
        reasons=_reasons(connection),
        jobs={
            str(stage): {str(state): number for state, number in states.items()}
            for stage, states in queue.counts(connection).items()
        },
    )


def _photos(connection: Connection) -> PhotoCounts:
    seen = _count(connection, sa.select(sa.func.count()).select_from(Source))
    unread = _count(connection, sa.select(sa.func.count()).where(Source.image_id.is_(None)))
    unique = _count(connection, sa.select(sa.func.count()).select_from(Image))
    used = _count(connection, sa.select(sa.func.count(sa.distinct(Source.image_id))))
    failed = sa.select(sa.func.count()).where(
        JobRow.stage.in_([Stage.READ, Stage.DETECT]), JobRow.state == JobState.FAILED
    )
    outcomes = _grouped(connection, Image.outcome, Image.outcome.is_not(None))
    return PhotoCounts(
        seen=seen,
        unique=unique,
        duplicates=seen - unread - used,
        unread=unread,
        failed=_count(connection, failed),
        no_face=outcomes.get(Outcome.NO_FACE, 0),
        with_portraits=outcomes.get(Outcome.PORTRAITS, 0),
    )


def _failures(connection: Connection) -> dict[str, dict[str, int]]:
    """Failed jobs by stage and reason."""
    found = {
        str(stage): _grouped(
            connection,
            JobRow.reason,
            sa.and_(JobRow.stage == stage, JobRow.state == JobState.FAILED),
        )
        for stage in Stage
    }
    return {stage: _by_number(reasons) for stage, reasons in found.items() if reasons}


def _reasons(connection: Connection) -> dict[str, int]:
    """Reasons are stored as lists; there are few distinct ones, so those are counted first."""
    total: Counter[str] = Counter()
    for column, condition in ((Mask.reasons, latest_masks()), (Image.reasons, sa.true())):
        as_text = sa.cast(column, sa.Text)
        query = sa.select(as_text, sa.func.count()).where(condition).group_by(as_text)
        for text, number in connection.execute(query):
            for reason in json.loads(text or "[]"):
                total[reason] += number
    return _by_number(total)


def _grouped(
    connection: Connection, column: Any, condition: sa.ColumnElement[bool]
) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(condition).group_by(column)
    return {str(value): number for value, number in connection.execute(query)}


def _count(connection: Connection, query: sa.Select[Any]) -> int:
    return connection.scalar(query) or 0


def _by_number(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
