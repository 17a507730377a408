"""What somebody should decide or mend: the first thing that a report says."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from db import Verdict
from pipelines.doubt.slices import least_accepted, most_bad, rate_of_worst
from pipelines.pages.facts import Facts
from pipelines.pages.rows import UNSEEN
from pipelines.pictures.traits import described

_OVERLOOKS = 0.1
"""Lower end of the share of spoilt masks that a reviewer takes for good, from which it is told."""

_SELDOM = 0.9
"""A slice of which fewer of the decided portraits were accepted is told."""


@dataclass(frozen=True, kw_only=True)
class Matter:
    """Something to decide.

    Attributes:
        says: what it is, in a sentence.
        command: that goes on, or shows more; None: none does.
        section: of the page that shows it.
        urgent: what is trusted may be wrong, or work has stopped.
    """

    says: str
    command: str | None
    section: str
    urgent: bool = False


def matters(facts: Facts) -> list[Matter]:
    """All of them, what is urgent first."""
    found = [*_certificates(facts), *_rounds(facts), *_review(facts), *_work(facts), *_kinds(facts)]
    return sorted(found, key=lambda each: not each.urgent)


def _certificates(facts: Facts) -> Iterator[Matter]:
    for each in facts.certificates:
        if each.state == "lapsed":
            yield Matter(
                says=f"Certificate {each.number} holds no longer: its masks are not trusted.",
                command="dataengine certify",
                section="certificates",
                urgent=True,
            )
        elif each.state == "open":
            yield Matter(
                says=f"Attempt {each.number} to certify waits for its audit.",
                command="dataengine review push",
                section="certificates",
            )


def _rounds(facts: Facts) -> Iterator[Matter]:
    for line in facts.rounds:
        if line.leaked:
            yield Matter(
                says=f"Round {line.round} learnt from {line.leaked:,} photos that are near-copies "
                "of test photos: its scores flatter it.",
                command="dataengine rounds",
                section="rounds",
                urgent=True,
            )
    if facts.rounds:
        last = facts.rounds[-1]
        if last.gate is None:
            yield Matter(
                says=f"The training of round {last.round} is not finished.",
                command=f"dataengine train --round {last.round}",
                section="rounds",
            )
        elif not last.promoted:
            yield Matter(
                says=f"The student of round {last.round} was not promoted: {last.gate['message']}.",
                command="dataengine rounds",
                section="rounds",
            )
    if facts.drift:
        drift = facts.drift[-1]
        drifted = [each.signal for each in drift.signals if each.drifted]
        if drifted:
            yield Matter(
                says=f"Masks after round {drift.round} look unlike those before it: {len(drifted)} "
                f"of {len(drift.signals)} signals have drifted, {drifted[0]} the most.",
                command="dataengine scores fit",
                section="drift",
                urgent=True,
            )


def _review(facts: Facts) -> Iterator[Matter]:
    review = facts.status.review
    standing = Counter((row.verdict, row.standing) for row in facts.portraits)
    if review.waiting:
        yield Matter(
            says=f"{review.waiting:,} questions wait for an answer.",
            command="dataengine review pull",
            section="reviewers",
        )
    if unseen := standing[str(Verdict.REVIEW), UNSEEN]:
        yield Matter(
            says=f"Nobody has decided about {unseen:,} masks of the verdict review.",
            command="dataengine review push",
            section="masks",
        )
    if review.disagreed:
        yield Matter(
            says=f"People disagree about {review.disagreed:,} masks.",
            command="dataengine review push",
            section="reviewers",
        )
    for name, counts in review.reviewers.items():
        errors = counts.error_rates
        if errors is not None and errors.missed.errors and errors.missed.low > _OVERLOOKS:
            yield Matter(
                says=f"{name} took {errors.missed} spoilt masks for good.",
                command="dataengine review status",
                section="reviewers",
                urgent=True,
            )
    if review.problems:
        yield Matter(
            says=f"{len(review.problems):,} answers cannot be used.",
            command="dataengine review status",
            section="reviewers",
        )


def _work(facts: Facts) -> Iterator[Matter]:
    funnel = facts.status.funnel
    left = sum(states["todo"] + states["doing"] for states in funnel.jobs.values())
    if left:
        yield Matter(
            says=f"{left:,} jobs are left of an ingest or another command.",
            command="dataengine ingest",
            section="funnel",
        )
    if funnel.failures:
        number, reason = sum(funnel.failures.values()), next(iter(funnel.failures))
        yield Matter(
            says=f"{number:,} jobs failed, most of them with {reason}.",
            command="dataengine failures",
            section="failures",
        )
    if facts.near_duplicates.ungrouped:
        yield Matter(
            says=f"No near-duplicates were sought of {facts.near_duplicates.ungrouped:,} photos.",
            command="dataengine export",
            section="near-duplicates",
        )


def _kinds(facts: Facts) -> Iterator[Matter]:
    least, worst = least_accepted(facts.slices), most_bad(facts.slices)
    if least is not None and least.accepted < _SELDOM * least.decided:
        kind = described(least.trait, least.low, least.high)
        share = least.accepted / least.decided
        yield Matter(
            says=f"Accepted least often: {kind}, {share:.0%} of those decided.",
            command="dataengine scores slices",
            section="slices",
        )
    if worst is not None:
        kind = described(worst.trait, worst.low, worst.high)
        yield Matter(
            says=f"Bad most surely: {kind}, {rate_of_worst(facts.slices, worst)}.",
            command="dataengine scores slices",
            section="slices",
        )
