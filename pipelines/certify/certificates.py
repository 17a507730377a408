"""The certificates that released masks stand on: what the manifest and the card say of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import AttemptItem, AttemptState
from pipelines.certify import attempts as ledger
from pipelines.certify.findings import AuditedSlice, Findings, findings_of
from pipelines.pictures.traits import described


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a mask stands on that a certificate accepted; an audit's part of them was seen.

    Attributes:
        number: of the attempt in its workspace.
        max_error: share of bad masks that was to be excluded.
        confidence: of all attempts of the workspace together.
        bound: upper bound on the share of bad masks that reviewers would find among those accepted;
            where `by_doubt` is false, in the set.
        bad_below: IoU under which a mask that a reviewer fixed was bad.
        population: masks of the set.
        audited: of them, by people.
        errors: bad ones among these.
        threshold: largest doubt of a mask in the set.
        score_model: that gave the doubt.
        judged_at: date, in ISO 8601.
        by_doubt: the audit asked more about doubtful masks; older ones were drawn uniformly.
    """

    number: int
    max_error: float
    confidence: float
    bound: float
    bad_below: float
    population: int
    audited: int
    errors: int
    threshold: float
    score_model: int
    judged_at: str
    by_doubt: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `Certificate(**…)` reads it back."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Certified:
    """The certificates that hold in a workspace.

    Attributes:
        written: by the id of their attempt.
        findings: what stands beside each, by number; None where it was not recorded.
    """

    written: dict[int, Certificate]
    findings: dict[int, Findings | None]

    def proofs(
        self, connection: Connection, mask_ids: Sequence[int]
    ) -> dict[int, tuple[Certificate, bool]]:
        """By mask: the certificate that it stands on, and whether people saw it in the audit.

        Args:
            connection: in a transaction.
            mask_ids: a few hundred at most.

        Returns:
            Only masks that a certificate accepted, or that its audit found bad.
        """
        query = sa.select(AttemptItem.mask_id, AttemptItem.attempt_id, AttemptItem.audited).where(
            AttemptItem.mask_id.in_(mask_ids), AttemptItem.attempt_id.in_(list(self.written))
        )
        return {
            row.mask_id: (self.written[row.attempt_id], row.audited)
            for row in connection.execute(query)
        }


def certified(connection: Connection) -> Certified:
    """All certificates that hold.

    Args:
        connection: in a transaction.
    """
    held = [each for each in ledger.attempts(connection) if each.state is AttemptState.CERTIFIED]
    return Certified(
        {each.id: _certificate(each) for each in held},
        {
            each.number: None if each.findings is None else findings_of(each.findings)
            for each in held
        },
    )


def certificates_text(
    seen: Counter[tuple[Certificate, bool]], findings: Mapping[int, Findings | None]
) -> str:
    """What a card says of the certificates that released masks stand on; empty without any.

    Args:
        seen: number of released masks by the certificate that they stand on, and by whether people
            saw them in its audit.
        findings: as `Certified.findings`.
    """
    parts = []
    for each in sorted({proof for proof, _ in seen}, key=lambda proof: proof.number):
        masks = seen[each, True] + seen[each, False]
        parts.append(
            f"**Certificate {each.number}** ({datetime.fromisoformat(each.judged_at):%Y-%m-%d}) "
            f"accepted {masks:,} of the portraits here; {seen[each, False]:,} of them nobody has "
            f"looked at, the others were in its audit. Of the {_subject(each)}, at "
            f"most {each.bound:.2%} are bad in reviewers' eyes (rejected, or fixed with an IoU "
            f"below {each.bad_below:g}), at {each.confidence:.0%} over all attempts: a blind audit "
            f"of {each.audited:,}, drawn {'by doubt' if each.by_doubt else 'uniformly'}, found "
            f"{each.errors:,}. The masks' doubt is at most {each.threshold:.4f} by score "
            f"{each.score_model}.\n"
        )
        beside = findings.get(each.number)
        if beside is not None:
            parts.append("".join(f"- {line}\n" for line in beside_text(beside)))
    return "\n".join(parts)


def beside_text(beside: Findings, *, certified: bool = True) -> Sequence[str]:
    """Lines about what stands beside a bound: reviewers' errors, and the worst slice.

    Args:
        beside: of the certificate.
        certified: the bound is small enough; otherwise nothing is made of it.
    """
    missed, number = beside.error_rates.missed, len(beside.slices)
    lines = [
        f"the audit's reviewers overlooked {missed} spoilt masks"
        if missed.shown
        else "how much the audit's reviewers overlook was not measured (no honeypots)"
    ]
    if certified and beside.true_bound is not None:
        lines[0] += (
            f"; if each overlooks real faults as often, at most {beside.true_bound:.2%} "
            f"{'of the masks that nobody saw ' if beside.answerers else ''}are bad "
            "(with 2.5 points less confidence)"
        )
    worst, unknown, least = beside.worst, beside.least_audited, beside.least_listed
    if worst is not None:
        lines.append(
            f"worst of {number} slices, {_named(worst)}: the audit found "
            f"{worst.bad_rate.errors:,} of {worst.bad_rate.shown:,} bad, so that "
            f"{worst.bad_rate.low:.1%} to {worst.bad_rate.high:.1%} of the slice are (all slices' "
            "intervals hold at once)"
        )
    elif unknown is not None:
        lines.append(
            f"none of {number} slices had a bad mask in the audit; least is known of "
            f"{_named(unknown)}, {unknown.bad_rate.shown:,} audited"
        )
    if least is not None:
        lines.append(
            f"least covered, {_named(least)}: {least.listed:,} of {least.portraits:,} portraits "
            "are in the set"
        )
    return lines


def _subject(each: Certificate) -> str:
    """What the bound is about."""
    if each.by_doubt:
        return f"{each.population - each.errors:,} masks accepted"
    return f"{each.population:,} masks listed"


def _named(found: AuditedSlice) -> str:
    return described(found.trait, found.low, found.high)


def _certificate(attempt: ledger.Attempt) -> Certificate:
    if attempt.bound is None or attempt.errors is None or attempt.judged_at is None:
        raise ValueError(f"attempt {attempt.number} was never judged")
    return Certificate(
        number=attempt.number,
        max_error=attempt.terms.max_error,
        confidence=attempt.terms.confidence,
        bound=attempt.bound,
        bad_below=attempt.terms.bad_below,
        population=attempt.population,
        audited=attempt.audit_size,
        errors=attempt.errors,
        threshold=attempt.threshold,
        score_model=attempt.score_id,
        judged_at=attempt.judged_at.isoformat(),
        by_doubt=attempt.by_doubt,
    )
