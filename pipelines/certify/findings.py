"""What stands beside a certificate's bound: how its reviewers err, and which slice is worst.

The bound is on what reviewers find. Honeypots tell how many bad masks they overlook, so that a
bound on what there is follows: that of an audit which finds a bad mask only so often.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import AttemptItem, Mask, Purpose, Review, ReviewRequest
from pipelines.certify.attempts import Attempt
from pipelines.certify.certificate import upper_bound
from pipelines.doubt.slices import Slice, bad_of, cut, most_bad
from pipelines.doubt.stored_traits import known_traits
from pipelines.portraits.reviewer_errors import Rate, ReviewerErrors, errors_of


@dataclass(frozen=True)
class AuditedSlice:
    """How a certificate's set and audit are spread over a slice of all portraits.

    Attributes:
        trait: of the slice, like `low` and `high`; see `pipelines.doubt.slices.Slice`.
        low: smallest value.
        high: largest.
        portraits: of the workspace in the slice.
        listed: of them in the set.
        bad_rate: found by the audit.
    """

    trait: str
    low: float
    high: float
    portraits: int
    listed: int
    bad_rate: Rate


@dataclass(frozen=True)
class Findings:
    """What stands beside the bound.

    Attributes:
        reviewers: people whose answers the audit has.
        error_rates: theirs, on honeypots and on what they saw twice.
        true_bound: on the share of masks that are bad whether or not reviewers see it, in [0, 1].
            It holds with the certificate's confidence less 2.5 %, if reviewers overlook what is
            wrong with a network's mask as often as what was spoilt on purpose (at most the upper
            end of that rate's interval). None where no honeypot was shown.
        slices: all of them.
    """

    reviewers: int
    error_rates: ReviewerErrors
    true_bound: float | None
    slices: list[AuditedSlice]

    @property
    def worst(self) -> AuditedSlice | None:
        """The slice that is bad most surely by the audit; None where it found no bad mask."""
        return most_bad(self.slices)

    @property
    def least_audited(self) -> AuditedSlice | None:
        """The slice that the audit says least about; None without slices."""
        return min(self.slices, key=lambda each: each.bad_rate.shown, default=None)

    @property
    def least_listed(self) -> AuditedSlice | None:
        """The slice of whose portraits the fewest are in the set; None without slices."""
        return min(self.slices, key=lambda each: each.listed / each.portraits, default=None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, as it is kept with the attempt."""
        return asdict(self)


def findings_of(known: Mapping[str, Any]) -> Findings:
    """Read back what `Findings.as_dict` gave."""
    errors = {name: Rate(**each) for name, each in known["error_rates"].items()}
    slices = [
        AuditedSlice(**{**each, "bad_rate": Rate(**each["bad_rate"])}) for each in known["slices"]
    ]
    return Findings(known["reviewers"], ReviewerErrors(**errors), known.get("true_bound"), slices)


def find(connection: Connection, attempt: Attempt, answers: Mapping[int, bool]) -> Findings:
    """What stands beside an attempt's bound now.

    Args:
        connection: in a transaction, after `remember_traits`.
        attempt: whose set and audit.
        answers: audited mask → bad.
    """
    query = (
        sa.select(AttemptItem.mask_id, Mask.portrait_id)
        .join(Mask, Mask.id == AttemptItem.mask_id)
        .where(AttemptItem.attempt_id == attempt.id)
    )
    portrait_of = {row.mask_id: row.portrait_id for row in connection.execute(query)}
    people = _reviewers(connection, answers)
    listed = frozenset(portrait_of.values())
    audited = {portrait_of[mask_id]: bad for mask_id, bad in answers.items()}
    errors = errors_of(connection, attempt.terms.bad_below, people)
    return Findings(
        reviewers=len(people),
        error_rates=errors,
        true_bound=_true_bound(attempt, answers, errors.missed),
        slices=[_spread(each, listed, audited) for each in cut(known_traits(connection))],
    )


def _true_bound(attempt: Attempt, answers: Mapping[int, bool], missed: Rate) -> float | None:
    if not missed.shown:
        return None
    found, audited = sum(answers.values()), len(answers)
    return upper_bound(found, audited, attempt.alpha, attempt.population, missed=missed.high)


def _spread(each: Slice, listed: frozenset[int], audited: Mapping[int, bool]) -> AuditedSlice:
    inside = len(each.portraits & listed)
    bad = bad_of(each, audited)
    return AuditedSlice(each.trait, each.low, each.high, len(each.portraits), inside, bad)


def _reviewers(connection: Connection, answers: Mapping[int, bool]) -> set[str]:
    """Who answered the audit's questions."""
    query = (
        sa.select(Review.mask_id, Review.reviewer)
        .join(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(Review.withdrawn_at.is_(None), ReviewRequest.purpose == Purpose.AUDIT)
    )
    return {row.reviewer for row in connection.execute(query) if row.mask_id in answers}
