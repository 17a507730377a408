"""The figures of a report: what the commands print, gathered in one read."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import AttemptState, Image, Outcome, reader
from pipelines.certify import attempts as ledger
from pipelines.certify.certificates import beside_text
from pipelines.certify.findings import findings_of
from pipelines.doubt.drift import RoundDrift, drift_between_rounds
from pipelines.doubt.scoring import current_score
from pipelines.doubt.slices import SliceLine, cut, lines_of
from pipelines.doubt.stored_traits import known_traits, remember_traits
from pipelines.doubt.summary import summary
from pipelines.pages.rows import PortraitRow, lapsed_attempts, lapsed_masks, portrait_rows
from pipelines.portraits.failures import Failure, failure_lines
from pipelines.portraits.funnel import funnel
from pipelines.portraits.standing import MinSource, standings
from pipelines.review.status import WorkspaceStatus, review_counts
from pipelines.rounds.history import RoundLine, round_lines
from pipelines.workspace.progress import Progress
from pipelines.workspace.workspace import Workspace

EXAMPLES: Final = 5
"""Failed files that are named for each reason."""
GROUPS: Final = 12
"""Groups of near-duplicates that are shown."""


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """What failed at one stage for one reason.

    Attributes:
        stage: what was tried.
        reason: code.
        number: of failed jobs.
        examples: the first of them: name of the file without its folder, and the whole message.
    """

    stage: str
    reason: str
    number: int
    examples: list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """Photos that show the same.

    Attributes:
        groups: of two photos or more.
        photos: in them.
        ungrouped: photos with portraits that no group was sought for yet.
        largest: portraits of the largest groups, by group, the largest first; how many photos.
    """

    groups: int
    photos: int
    ungrouped: int
    largest: list[tuple[int, list[PortraitRow]]]


@dataclass(frozen=True, kw_only=True)
class CertificateWords:
    """An attempt to certify, for people.

    Attributes:
        number: of the attempt.
        state: `certified`, `open`, `failed`, `void`; or `lapsed`: its masks or its score have
            changed since, so that the next `certify` or `export` will void it.
        says: what it is.
        beside: what stands beside its bound.
    """

    number: int
    state: str
    says: str
    beside: list[str]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything but the pictures.

    Attributes:
        name: of the workspace's folder.
        read_at: when.
        status: as `status --json` prints it.
        failures: most frequent first.
        portraits: all, by id.
        by_score: their doubts are of a score.
        near_duplicates: of the photos.
        slices: as `scores slices` prints them.
        certificates: oldest first.
        score: as `scores show` prints it; None: none was used yet.
        rounds: as `rounds` prints them.
        drift: as `scores drift` prints it.
    """

    name: str
    read_at: datetime
    status: WorkspaceStatus
    failures: list[FailureGroup]
    portraits: list[PortraitRow]
    by_score: bool
    near_duplicates: NearDuplicates
    slices: list[SliceLine]
    certificates: list[CertificateWords]
    score: dict[str, Any] | None
    rounds: list[RoundLine]
    drift: list[RoundDrift]


def gather(workspace: Workspace, progress: Progress) -> Facts:
    """Read everything.

    Args:
        workspace: opened; what `scores slices` and `scores drift` need and is not known yet is
            computed and remembered.
        progress: told of each step.

    Raises:
        ReadOnlyError: something has to be computed, and the workspace was opened to read.
        WorkspaceError: a blob that has to be read is missing or damaged.
    """
    progress.begin("reading the workspace", None)
    remember_traits(workspace)
    drift = drift_between_rounds(workspace)
    with reader(workspace.engine).begin() as connection:
        standing = standings(connection, MinSource.ANY)
        score = current_score(connection)
        lapsed = lapsed_attempts(connection)
        slices = cut(known_traits(connection))
        found = portrait_rows(connection, standing, slices, lapsed_masks(connection, lapsed))
        return Facts(
            name=workspace.paths.root.name,
            read_at=datetime.now(UTC),
            status=WorkspaceStatus(funnel(connection), review_counts(connection)),
            failures=failure_groups(failure_lines(connection)),
            portraits=found.rows,
            by_score=found.by_score,
            near_duplicates=_near_duplicates(connection, found.rows),
            slices=lines_of(connection, workspace.store, slices, standing),
            certificates=_certificates(
                connection, {attempt.number: reason for attempt, reason in lapsed}
            ),
            score=None if score is None else summary(score),
            rounds=round_lines(connection),
            drift=drift,
        )


def failure_groups(failures: Iterable[Failure]) -> list[FailureGroup]:
    """Failures by stage and reason, with the first of each."""
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    examples: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for each in failures:
        key = (each.stage, each.reason)
        numbers[key] += 1
        if len(examples[key]) < EXAMPLES:
            # Whoever gets the page need not know where the photos lie.
            name = PurePath(each.path).name if each.path else "its file was overwritten since"
            folder = str(PurePath(each.path).parent) if each.path else ""
            message = each.message.replace(f"{folder}/", "") if folder else each.message
            examples[key].append((name, message))
    ordered = sorted(numbers, key=lambda key: (-numbers[key], key))
    return [
        FailureGroup(stage=stage, reason=reason, number=numbers[stage, reason], examples=found)
        for stage, reason in ordered
        for found in [examples[stage, reason]]
    ]


def _near_duplicates(connection: Connection, rows: Sequence[PortraitRow]) -> NearDuplicates:
    sizes = (
        sa.select(Image.group_id, sa.func.count().label("photos"))
        .where(Image.group_id.is_not(None))
        .group_by(Image.group_id)
        .having(sa.func.count() > 1)
    )
    photos_of = {row.group_id: row.photos for row in connection.execute(sizes)}
    waiting = sa.select(sa.func.count()).where(
        Image.group_id.is_(None), Image.outcome == Outcome.PORTRAITS
    )
    members: dict[int, list[PortraitRow]] = defaultdict(list)
    for row in rows:
        if row.group_id is not None and row.group_id in photos_of:
            members[row.group_id].append(row)
    largest = sorted(members, key=lambda group: (-photos_of[group], group))[:GROUPS]
    return NearDuplicates(
        groups=len(photos_of),
        photos=sum(photos_of.values()),
        ungrouped=connection.scalar(waiting) or 0,
        largest=[(photos_of[group], members[group]) for group in largest],
    )


def _certificates(connection: Connection, lapsed: dict[int, str]) -> list[CertificateWords]:
    found = []
    for each in ledger.attempts(connection):
        certified = each.state is AttemptState.CERTIFIED
        says = _says(each)
        state = str(each.state)
        if each.number in lapsed:
            state, certified = "lapsed", False
            says = f"It holds no longer: {lapsed[each.number]}. It becomes void with the next try."
        beside: Sequence[str] = ()
        if each.findings is not None:
            beside = beside_text(findings_of(each.findings), certified=certified)
        found.append(
            CertificateWords(number=each.number, state=state, says=says, beside=list(beside))
        )
    return found


def _says(attempt: ledger.Attempt) -> str:
    terms = attempt.terms
    match attempt.state:
        case AttemptState.CERTIFIED:
            words = attempt.in_words()
            return f"{words[:1].upper()}{words[1:]}."
        case AttemptState.OPEN:
            return (
                f"It waits for its audit: {attempt.audit_size:,} of {attempt.population:,} masks "
                "are to be judged before anything is accepted. It would prove that at most "
                f"{terms.max_error:.2%} are bad, at {terms.confidence:.0%}."
            )
        case _:
            return f"It accepts nothing: {attempt.message or 'no reason was noted'}."
