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
        audit_size: of them those that people are asked about.
        seed: of the draw.
        listed_sha256: of the ids of the set's masks.
        errors: bad masks in the audit; None, like the next four, until it is judged.
        bound: upper one on the share of bad masks in the set, in [0, 1].
        message: why it failed or is void; None: it did not.
        findings: what stands beside the bound, see `Findings`.
        judged_at: when.
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

    def in_words(self) -> str:
        """What a certified attempt says of its masks: what every one of them carries."""
        return (
            f"at most {self.bound:.2%} of {self.population:,} masks are bad (IoU below "
            f"{self.terms.bad_below:g}), at {self.terms.confidence:.0%} over all attempts: "
            f"{self.errors:,} of {self.audit_size:,} audited; doubt up to {self.threshold:.4f} "
            f"by score {self.score_id}"
        )


def attempts(connection: Connection) -> list[Attempt]:
    """All of them, oldest first."""
    query = sa.select(CertificateAttempt.__table__).order_by(CertificateAttempt.number)
    return [_attempt(row) for row in connection.execute(query)]


def begin(
    connection: Connection, values: dict[str, Any], audited: Collection[int], listed: Sequence[int]
) -> None:
    """Write an attempt and its set down."""
    added = sa.insert(CertificateAttempt).values(
        **values, state=AttemptState.OPEN, listed_sha256=fingerprint(connection, listed)
    )
    attempt_id = connection.scalars(added.returning(CertificateAttempt.id)).one()
    chosen = set(audited)
    rows = [
        {"attempt_id": attempt_id, "mask_id": mask_id, "audited": mask_id in chosen}
        for mask_id in listed
    ]
    connection.execute(sa.insert(AttemptItem), rows)


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


def items(connection: Connection, attempt: Attempt, *, audited: bool = False) -> list[int]:
    """Masks of an attempt's set, or of its audit, by id."""
    query = sa.select(AttemptItem.mask_id).where(AttemptItem.attempt_id == attempt.id)
    if audited:
        query = query.where(AttemptItem.audited)
    return list(connection.scalars(query.order_by(AttemptItem.mask_id)))


def ever_audited(connection: Connection) -> set[int]:
    """Masks that were in an audit, however it ended: none is fresh for another one."""
    return set(connection.scalars(sa.select(AttemptItem.mask_id).where(AttemptItem.audited)))


def unasked_audits(connection: Connection) -> list[tuple[int, int]]:
    """(mask id, portrait id) of open audits that nobody has been asked about yet."""
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
        .order_by(Mask.id)
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
