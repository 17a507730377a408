"""Attempts to certify, as rows: begun, found again, judged, void.

Every function works in the caller's transaction.
Nothing here is ever deleted or reused: an attempt that was made has spent its share of alpha.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    AttemptItem,
    AttemptState,
    CertificateAttempt,
    Decision,
    Mask,
    Purpose,
    Review,
    ReviewRequest,
    chunks,
)
from pipelines.certify.betting import Wave
from pipelines.portraits.content_order import in_content_order
from pipelines.portraits.latest import no_later_proposal


@dataclass(frozen=True)
class Terms:
    """What is to be proven.

    Attributes:
        max_error: share of bad masks, in (0, 1).
        confidence: of all attempts together, in (0, 1).
        bad_below: IoU under which a fixed mask was bad.
    """

    max_error: float
    confidence: float
    bad_below: float


@dataclass(frozen=True)
class Attempt:
    """A row of `certificate_attempt`.

    Attributes:
        number: of the attempt in this workspace, from 1.
        score_id: of the score that chose its set.
        threshold: doubt up to which masks are in the set, in [0, 1].
        alpha: the probability of error that it may spend.
        population: masks in the set.
        audit_size: of them those that were drawn so far; of one that ended, those it was judged by.
        seed: of the draw.
        listed_sha256: of the ids of the set's masks.
        errors: bad masks in the audit; None, like the next four, until it is judged.
        bound: upper one on the share of bad masks among those accepted, in [0, 1]; where the audit
            was drawn uniformly, in the set.
        message: why it failed or is void; None: it did not.
        findings: what stands beside the bound, see `Findings`.
        judged_at: when.
        waves: how the audit was drawn, see `betting.Wave`; None: uniformly, at once.
        question_limit: masks that may be drawn; None: as many as are worth it.
    """

    id: int
    number: int
    state: AttemptState
    score_id: int
    threshold: float
    terms: Terms
    alpha: float
    population: int
    audit_size: int
    seed: int
    listed_sha256: str
    errors: int | None
    bound: float | None
    message: str | None
    findings: dict[str, Any] | None
    judged_at: datetime | None
    waves: list[dict[str, Any]] | None
    question_limit: int | None

    @property
    def by_doubt(self) -> bool:
        """The audit asks more about doubtful masks; otherwise it was drawn uniformly, at once."""
        return self.waves is not None

    def in_words(self) -> str:
        """What a certified attempt says of its masks: what every one of them carries."""
        accepted = self.population - (self.errors or 0 if self.by_doubt else 0)
        return (
            f"at most {self.bound:.2%} of {accepted:,} masks are bad (IoU below "
            f"{self.terms.bad_below:g}), at {self.terms.confidence:.0%} over all attempts: "
            f"{self.errors:,} of {self.audit_size:,} audited; doubt up to {self.threshold:.4f} "
            f"by score {self.score_id}"
        )


def attempts(connection: Connection) -> list[Attempt]:
    """All of them, oldest first."""
    query = sa.select(CertificateAttempt.__table__).order_by(CertificateAttempt.number)
    return [_attempt(row) for row in connection.execute(query)]


def begin(
    connection: Connection, values: dict[str, Any], listed: Sequence[int], strata: Sequence[int]
) -> None:
    """Write an attempt and its set down; nothing is drawn yet.

    Args:
        connection: in a transaction.
        values: of the attempt's row.
        listed: masks of the set.
        strata: of each.
    """
    added = sa.insert(CertificateAttempt).values(
        **values, state=AttemptState.OPEN, audit_size=0, waves=[],
        listed_sha256=fingerprint(connection, listed),
    )  # fmt: skip
    attempt_id = connection.scalars(added.returning(CertificateAttempt.id)).one()
    rows = [
        {"attempt_id": attempt_id, "mask_id": mask_id, "audited": False, "stratum": stratum}
        for mask_id, stratum in zip(listed, strata, strict=True)
    ]
    connection.execute(sa.insert(AttemptItem), rows)


def add_wave(connection: Connection, attempt: Attempt, wave: Wave, drawn: Sequence[int]) -> Attempt:
    """Note what was drawn, in the order of the draw, and return the attempt with it."""
    for number, mask_id in enumerate(drawn, start=attempt.audit_size):
        item = sa.update(AttemptItem).where(
            AttemptItem.attempt_id == attempt.id, AttemptItem.mask_id == mask_id
        )
        connection.execute(item.values(audited=True, draw=number))
    waves = [*(attempt.waves or []), wave.as_dict()]
    size = attempt.audit_size + len(drawn)
    update = sa.update(CertificateAttempt).where(CertificateAttempt.id == attempt.id)
    connection.execute(update.values(waves=waves, audit_size=size))
    return replace(attempt, waves=waves, audit_size=size)


def strata(connection: Connection, attempt: Attempt) -> dict[int, int]:
    """Stratum of each mask of a set that is audited by doubt, in the order of their content."""
    query = sa.select(AttemptItem.mask_id, AttemptItem.stratum).where(
        AttemptItem.attempt_id == attempt.id
    )
    found: dict[int, int] = {row.mask_id: row.stratum for row in connection.execute(query)}
    return {mask_id: found[mask_id] for mask_id in in_content_order(connection, found)}


def drawn(connection: Connection, attempt: Attempt) -> list[int]:
    """Masks of an audit, in the order of the draw."""
    query = sa.select(AttemptItem.mask_id).where(
        AttemptItem.attempt_id == attempt.id, AttemptItem.audited
    )
    return list(connection.scalars(query.order_by(AttemptItem.draw, AttemptItem.mask_id)))


def changed(connection: Connection, score_id: int) -> list[tuple[Attempt, str]]:
    """Attempts that are open or certified and hold no longer, each with the reason.

    Args:
        connection: in a transaction.
        score_id: of the score that holds now.
    """
    found = []
    for each in attempts(connection):
        if each.state not in (AttemptState.OPEN, AttemptState.CERTIFIED):
            continue
        if each.score_id != score_id:
            found.append((each, f"score {score_id} has replaced score {each.score_id}"))
        elif fingerprint(connection, items(connection, each)) != each.listed_sha256:
            found.append((each, "masks of its set were replaced or are gone"))
    return found


def end(
    connection: Connection,
    attempt: Attempt,
    state: AttemptState,
    message: str | None,
    **values: Any,
) -> Attempt:
    """Note how an attempt ended, and return it; decisions of a void certificate hold no longer."""
    now = datetime.now(UTC)
    # What becomes void keeps the date on which it was judged, if it was.
    judged_at = attempt.judged_at if state is AttemptState.VOID else now
    update = sa.update(CertificateAttempt).where(CertificateAttempt.id == attempt.id)
    connection.execute(update.values(state=state, reason=message, judged_at=judged_at, **values))
    if state is AttemptState.VOID:
        withdrawn = sa.update(Review).where(
            Review.reviewer == rule_name(attempt), Review.withdrawn_at.is_(None)
        )
        connection.execute(withdrawn.values(withdrawn_at=now))
    return replace(attempt, state=state, message=message, judged_at=judged_at, **values)


def accept(connection: Connection, attempt: Attempt, found_bad: Collection[int]) -> int:
    """Accept the masks of a certified set, but for those the audit found bad; their number.

    Each decision says in its comment what it rests on.
    """
    now = datetime.now(UTC)
    rows = [
        {
            "mask_id": mask_id,
            "decision": Decision.CERTIFIED,
            "reviewer": rule_name(attempt),
            "decided_at": now,
            "comment": attempt.in_words(),
        }
        for mask_id in items(connection, attempt)
        if mask_id not in found_bad
    ]
    if rows:
        connection.execute(sa.insert(Review), rows)
    return len(rows)


def rule_name(attempt: Attempt) -> str:
    """As whose decision a certificate's acceptances are written."""
    return f"certificate {attempt.number}"


def items(connection: Connection, attempt: Attempt) -> list[int]:
    """Masks of an attempt's set, by id."""
    query = sa.select(AttemptItem.mask_id).where(AttemptItem.attempt_id == attempt.id)
    return list(connection.scalars(query.order_by(AttemptItem.mask_id)))


def ever_audited(connection: Connection) -> set[int]:
    """Masks that were in an audit, however it ended: none is fresh for another one."""
    return set(connection.scalars(sa.select(AttemptItem.mask_id).where(AttemptItem.audited)))


def unasked_audits(connection: Connection) -> list[tuple[int, int]]:
    """(mask id, portrait id) of open audits that nobody was asked about yet, in drawn order."""
    asked = sa.select(ReviewRequest.mask_id).where(ReviewRequest.purpose == Purpose.AUDIT)
    query = (
        sa.select(Mask.id, Mask.portrait_id)
        .join(AttemptItem, AttemptItem.mask_id == Mask.id)
        .join(CertificateAttempt, CertificateAttempt.id == AttemptItem.attempt_id)
        .where(
            CertificateAttempt.state == AttemptState.OPEN,
            AttemptItem.audited,
            Mask.id.not_in(asked),
        )
        .order_by(AttemptItem.draw, Mask.id)
    )
    return [(row.id, row.portrait_id) for row in connection.execute(query)]


def being_audited(connection: Connection) -> set[int]:
    """Masks of open audits."""
    query = (
        sa.select(AttemptItem.mask_id)
        .join(CertificateAttempt, CertificateAttempt.id == AttemptItem.attempt_id)
        .where(CertificateAttempt.state == AttemptState.OPEN, AttemptItem.audited)
    )
    return set(connection.scalars(query))


def fingerprint(connection: Connection, mask_ids: Sequence[int]) -> str:
    """SHA-256 of a set: which masks, with which pixels, and that no network has replaced them."""
    digest = hashlib.sha256()
    for ids in chunks(sorted(mask_ids)):
        query = sa.select(Mask.id, Mask.blob).where(Mask.id.in_(ids), no_later_proposal())
        for row in connection.execute(query.order_by(Mask.id)):
            digest.update(f"{row.id} {row.blob}\n".encode())
    return digest.hexdigest()


def producers(connection: Connection, mask_ids: Sequence[int]) -> list[str]:
    """Who made these masks, by name."""
    found: set[str] = set()
    for ids in chunks(mask_ids):
        query = sa.select(Mask.producer).where(Mask.id.in_(ids)).distinct()
        found.update(connection.scalars(query))
    return sorted(found)


def _attempt(row: sa.Row[*tuple[Any, ...]]) -> Attempt:
    known = dict(row._mapping)
    terms = Terms(*(known.pop(name) for name in ("max_error", "confidence", "bad_below")))
    for name in ("producers", "created_at"):
        known.pop(name)
    message, score_id = known.pop("reason"), known.pop("score_model_id")
    return Attempt(**known, terms=terms, message=message, score_id=score_id)
