"""`certify` on a console."""

from dataclasses import asdict

from dataengine.console.shared.text import print_json, say
from pipelines.certify.attempts import Attempt
from pipelines.certify.certificates import beside_text
from pipelines.certify.certifying import Certification
from pipelines.certify.findings import findings_of


def print_certification(found: Certification, *, as_json: bool) -> None:
    """How it stands."""
    if as_json:
        print_json({**asdict(found), "state": found.attempt.state})
    else:
        _print_lines(found)


def print_abandoned(attempt: Attempt, *, as_json: bool) -> None:
    """What was given up."""
    if as_json:
        print_json(asdict(attempt))
        return
    say(f"attempt {attempt.number} is given up; what it spent stays spent")


def _print_lines(found: Certification) -> None:
    attempt, judgement = found.attempt, found.judgement
    for number in found.voided:
        say(f"attempt {number} is void: its masks or its score have changed")
    say(
        f"attempt {attempt.number}: {attempt.population:,} undecided masks with a doubt of at most "
        f"{attempt.threshold:.4f} by score {attempt.score_id}; it may err with {attempt.alpha:.2%}"
    )
    drawn = "by doubt" if attempt.by_doubt else "uniformly"
    say(
        f"  audit: {attempt.audit_size:,} questions drawn {drawn}, seed {attempt.seed}; "
        f"{judgement.audited:,} answered, {judgement.errors:,} bad"
    )
    if judgement.certified:
        unseen = attempt.population - judgement.audited
        say(
            f"  certified: at most {judgement.bound:.2%} of the accepted masks are bad; "
            f"{found.accepted:,} masks accepted, {unseen:,} of them unseen"
        )
    if attempt.findings is not None:
        beside = findings_of(attempt.findings)
        for line in beside_text(beside, certified=judgement.certified):
            say(f"  {line}")
    if judgement.certified:
        return
    say(f"  nothing is accepted: {judgement.missing}")
    if found.questions is not None:
        say(f"  about {found.questions:,} answers will settle it, those that are missing included")
    if found.drawn:
        say("  `dataengine review push` asks about the audit, `review pull` fetches answers")
    elif judgement.hopeless:
        say("  the next call begins another attempt, which may err half as often")
