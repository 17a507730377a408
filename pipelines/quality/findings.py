"""What stands beside a certificate's bound: how its reviewers err, and which slice is worst.

The bound is on what reviewers find. Honeypots tell how many bad masks they overlook, so that a
bound on what there is follows: a set of which a share p is bad shows an audit p × (1 − missed).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import AttemptItem, Mask, Purpose, Review, ReviewRequest
from pipelines.quality.reviewer_errors import Rate, ReviewerErrors, errors_of
from pipelines.quality.slices import Slice, bad_of, cut
from pipelines.quality.stored_traits import known_traits


@dataclass(frozen=True)
class AuditedSlice:
    """How a certificate's set and audit are spread over a slice of all portraits.

    Attributes:
        trait: of the slice, like `low` and `high`; see `pipelines.quality.slices.Slice`.
        low: smallest value.
        high: largest.
        portraits: of the workspace in the slice.
        listed: of them in the set.
        bad: found by the audit.
    """

    trait: str
    low: float
    high: float
    portraits: int
    listed: int
    bad: Rate


@dataclass(frozen=True)
class Findings:
    """What stands beside the bound.

    Attributes:
        reviewers: people whose answers the audit has.
        errors: theirs, on honeypots and on what they saw twice.
        slices: all of them.
    """

    reviewers: int
    errors: ReviewerErrors
    slices: list[AuditedSlice]

    @property
    def worst(self) -> AuditedSlice | None:
        """The slice with the largest share of bad masks in the audit.

        Where no slice has any, the one with the largest upper bound: the least is known of it.
        None without slices.
        """
        return max(self.slices, key=_badness, default=None)

    @property
    def least_listed(self) -> AuditedSlice | None:
        """The slice of whose portraits the fewest are in the set; None without slices."""
        return min(self.slices, key=lambda each: each.listed / each.portraits, default=None)

    def true_bound(self, bound: float) -> float | None:
        """A bound on the share of masks that are bad whether or not reviewers see it.

        It holds with the certificate's confidence less 2.5 %, if reviewers overlook what is wrong
        with a network's mask as often as what was spoilt on purpose.

        Args:
            bound: the certificate's, in [0, 1].

        Returns:
            In [0, 1]; None where no honeypot was shown or every one may be missed.
        """
        missed = self.errors.missed
        if not missed.shown or missed.high >= 1:
            return None
        return min(1.0, bound / (1 - missed.high))

    def as_dict(self) -> dict[str, Any]:
        """For JSON, as it is kept with the attempt."""
        return asdict(self)


def findings_of(known: Mapping[str, Any]) -> Findings:
    """Read back what `Findings.as_dict` gave."""
    errors = {name: Rate(**each) for name, each in known["errors"].items()}
    slices = [AuditedSlice(**{**each, "bad": Rate(**each["bad"])}) for each in known["slices"]]
    return Findings(known["reviewers"], ReviewerErrors(**errors), slices)


def find(
    connection: Connection, attempt_id: int, answers: Mapping[int, bool], bad_below: float
) -> Findings:
    """What stands beside an attempt's bound now.

    Args:
        connection: in a transaction, after `remember_traits`.
        attempt_id: whose set and audit.
        answers: audited mask → bad.
        bad_below: IoU under which a fixed mask was bad.
    """
    query = (
        sa.select(AttemptItem.mask_id, Mask.portrait_id)
        .join(Mask, Mask.id == AttemptItem.mask_id)
        .where(AttemptItem.attempt_id == attempt_id)
    )
    portrait_of = {row.mask_id: row.portrait_id for row in connection.execute(query)}
    people = _reviewers(connection, answers)
    listed = frozenset(portrait_of.values())
    audited = {portrait_of[mask_id]: bad for mask_id, bad in answers.items()}
    return Findings(
        reviewers=len(people),
        errors=errors_of(connection, bad_below, people),
        slices=[_spread(each, listed, audited) for each in cut(known_traits(connection))],
    )


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


def _badness(each: AuditedSlice) -> tuple[float, float]:
    bad = each.bad
    return (bad.errors / bad.shown if bad.shown else 0.0, bad.high)
