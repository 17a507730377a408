"""What stands beside a certificate's bound: how its reviewers err, and which slice is worst.

The bound is on what reviewers find. Honeypots tell how many bad masks each of them overlooks, so
that a bound on what there is follows: that of an audit whose every answer finds a bad mask only as
often as the one who gave it. Intervals of slices hold for all of them at once, so that the worst
may be chosen by them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import AttemptItem, Mask, Purpose, Review, ReviewRequest
from pipelines.certify import attempts as ledger
from pipelines.certify.attempts import Attempt
from pipelines.certify.betting import Audit
from pipelines.certify.certificate import upper_bound
from pipelines.doubt.slices import Slice, cut, most_bad
from pipelines.doubt.stored_traits import known_traits
from pipelines.portraits.reviewer_errors import (
    CONFIDENCE,
    Rate,
    ReviewerErrors,
    errors_of,
    rate,
    reviewer_errors,
)

_UNSURE: Final = (1 - CONFIDENCE) / 2
"""How probably somebody overlooks more than is said of them."""


@dataclass(frozen=True)
class AuditedSlice:
    """How a certificate's set and audit are spread over a slice of all portraits.

    Attributes:
        trait: of the slice, like `low` and `high`; see `pipelines.doubt.slices.Slice`.
        low: smallest value.
        high: largest.
        portraits: of the workspace in the slice.
        listed: of them in the set.
        bad_rate: found by the audit. The interval is of the share of the slice's listed masks that
            is bad, and holds with 95 % for all slices at once. A draw by doubt sees more of the bad
            ones than there are, and its interval knows that.
    """

    trait: str
    low: float
    high: float
    portraits: int
    listed: int
    bad_rate: Rate


@dataclass(frozen=True)
class Answerer:
    """Somebody who answered an audit's questions.

    Attributes:
        answers: how many.
        missed: spoilt masks that they took for good.
        misses_at_most: upper end of that rate, with 97.5 % for all who answered at once, in [0, 1].
    """

    answers: int
    missed: Rate
    misses_at_most: float


@dataclass(frozen=True)
class Findings:
    """What stands beside the bound.

    Attributes:
        reviewers: people whose answers the audit has.
        error_rates: theirs, on honeypots and on what they saw twice.
        true_bound: on the share of masks that nobody saw and that are bad whether or not reviewers
            see it, in [0, 1]; where the audit was drawn uniformly, of all masks of the set. It
            holds with the certificate's confidence less 2.5 %, if reviewers overlook what is wrong
            with a network's mask as often as what was spoilt on purpose, each at most as often as
            `misses_at_most` says. None where no honeypot was shown.
        slices: all of them.
        answerers: who answered, the most answers first; not recorded by older versions.
    """

    reviewers: int
    error_rates: ReviewerErrors
    true_bound: float | None
    slices: list[AuditedSlice]
    answerers: list[Answerer] = field(default_factory=list)

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
    answerers = [
        Answerer(**{**each, "missed": Rate(**each["missed"])})
        for each in known.get("answerers", ())
    ]
    return Findings(
        known["reviewers"], ReviewerErrors(**errors), known.get("true_bound"), slices, answerers
    )


def find(
    connection: Connection, attempt: Attempt, answers: Mapping[int, bool], audit: Audit | None
) -> Findings:
    """What stands beside an attempt's bound now.

    Args:
        connection: in a transaction, after `remember_traits`.
        attempt: whose set and audit.
        answers: audited mask → bad.
        audit: by doubt, whose draws are the first of those of the attempt; None: it was uniform.
    """
    query = (
        sa.select(AttemptItem.mask_id, Mask.portrait_id)
        .join(Mask, Mask.id == AttemptItem.mask_id)
        .where(AttemptItem.attempt_id == attempt.id)
    )
    portrait_of = {row.mask_id: row.portrait_id for row in connection.execute(query)}
    drawn = ledger.drawn(connection, attempt)[: len(answers) if audit is None else len(audit.bad)]
    people = _answerers(connection, drawn)
    names = {name for of_mask in people.values() for name in of_mask}
    errors = errors_of(connection, attempt.terms.bad_below, names)
    each_errors = reviewer_errors(connection, attempt.terms.bad_below)
    answerers = {
        name: _answerer(
            sum(name in of_mask for of_mask in people.values()),
            each_errors[name].missed if name in each_errors else rate(0, 0),
            len(names),
        )
        for name in sorted(names)
    }
    slices = cut(known_traits(connection))
    if audit is None:
        listed = frozenset(portrait_of.values())
        judged = {portrait_of[mask_id]: bad for mask_id, bad in answers.items()}
        found = [_spread(each, listed, judged, len(slices)) for each in slices]
        bound = _uniform_bound(attempt, answers, errors.missed)
    else:
        strata = ledger.strata(connection, attempt)
        found = [_part(each, portrait_of, strata, drawn, audit, len(slices)) for each in slices]
        bound = _bound(attempt, audit, drawn, people, answerers)
    return Findings(
        reviewers=len(names),
        error_rates=errors,
        true_bound=bound,
        slices=found,
        answerers=sorted(answerers.values(), key=lambda each: -each.answers),
    )


def _answerer(answers: int, missed: Rate, people: int) -> Answerer:
    at_most = upper_bound(missed.errors, missed.shown, _UNSURE / people)
    return Answerer(answers, missed, at_most)


def _bound(
    attempt: Attempt,
    audit: Audit,
    drawn: Sequence[int],
    people: Mapping[int, Collection[str]],
    answerers: Mapping[str, Answerer],
) -> float | None:
    """On the share of unseen masks that are bad, with each answer worth as much as who gave it."""
    if not any(each.missed.shown for each in answerers.values()):
        return None
    if not audit.unseen:
        return 0.0
    finds = np.array(
        [1 - max(answerers[name].misses_at_most for name in people[mask]) for mask in drawn]
    )
    # Whoever was shown no honeypot may overlook everything: as if they had found each mask bad.
    measured = finds > 0
    sure = replace(audit, bad=np.where(measured, audit.bad, 1.0))
    return sure.with_finding(np.where(measured, finds, 1.0)).most(attempt.alpha) / audit.unseen


def _uniform_bound(attempt: Attempt, answers: Mapping[int, bool], missed: Rate) -> float | None:
    if not missed.shown:
        return None
    found, audited = sum(answers.values()), len(answers)
    return upper_bound(found, audited, attempt.alpha, attempt.population, missed=missed.high)


def _part(
    each: Slice,
    portrait_of: Mapping[int, int],
    strata: Mapping[int, int],
    drawn: Sequence[int],
    audit: Audit,
    among: int,
) -> AuditedSlice:
    """A slice of a set that was audited by doubt."""
    inside = [strata[mask] for mask, portrait in portrait_of.items() if portrait in each.portraits]
    sizes = np.bincount(np.array(inside, np.int64), minlength=len(audit.sizes))
    fell_in = np.array([portrait_of[mask] in each.portraits for mask in drawn], np.bool_)
    part = audit.only(fell_in, sizes)
    alpha = (1 - CONFIDENCE) / 2 / among
    low, high = (part.found + end for end in (part.fewest(alpha), part.most(alpha)))
    number = max(len(inside), 1)
    found = Rate(part.found, len(part.bad), low / number, high / number if inside else 1.0)
    return AuditedSlice(each.trait, each.low, each.high, len(each.portraits), len(inside), found)


def _spread(
    each: Slice, listed: frozenset[int], audited: Mapping[int, bool], among: int
) -> AuditedSlice:
    """A slice of a set that was audited uniformly."""
    inside = len(each.portraits & listed)
    bad = [bad for portrait_id, bad in audited.items() if portrait_id in each.portraits]
    found = rate(sum(bad), len(bad), among=among)
    return AuditedSlice(each.trait, each.low, each.high, len(each.portraits), inside, found)


def _answerers(connection: Connection, drawn: Collection[int]) -> dict[int, set[str]]:
    """Who answered the audit's questions, by mask."""
    query = (
        sa.select(Review.mask_id, Review.reviewer)
        .join(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(Review.withdrawn_at.is_(None), ReviewRequest.purpose == Purpose.AUDIT)
    )
    wanted = set(drawn)
    found: dict[int, set[str]] = defaultdict(set)
    for row in connection.execute(query):
        if row.mask_id in wanted:
            found[row.mask_id].add(row.reviewer)
    return found
