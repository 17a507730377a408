"""`certify` in a workspace: draw an audit, and, once it says enough, accept the set or do not.

The first call chooses a set on reviewed masks: the undecided masks up to a doubt. It lists them and
draws questions from them, which the next `review push` asks among others. A later call looks at the
answers that came: it accepts the set, gives it up, draws more questions, or waits. An attempt
spends its share of alpha when it begins; it ends certified, failed or void.
"""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from db import AttemptState, reader
from pipelines.certify import attempts as ledger
from pipelines.certify.acceptable_set import acceptable_masks, audit_answers, looked_at
from pipelines.certify.attempts import Attempt, Terms
from pipelines.certify.auditing import audit_of, mean_ranks
from pipelines.certify.betting import Audit, Floats
from pipelines.certify.certificate import Judgement, alpha_of_attempt, judge_audit
from pipelines.certify.design import Outlook, choose_size, draw, outlook, strata_of
from pipelines.certify.expectations import expect, ranked
from pipelines.certify.findings import find
from pipelines.doubt.scoring import current_score, doubts, require_score, score_masks
from pipelines.doubt.stored_traits import remember_traits
from pipelines.portraits.splits import assign_splits
from pipelines.workspace.defaults import BAD_BELOW, CONFIDENCE, MAX_ERROR
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace

_SEEDS = 2**31


class CertifyError(PipelineError):
    """Nothing can be certified; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class CertifyRequest:
    """What is to be proven; an attempt that is open goes on with the same.

    Attributes:
        max_error: at most this share of the accepted masks is bad.
        confidence: of all attempts together.
        bad_below: IoU under which a fixed mask was bad.
        audit: questions at most; None: as many as are worth it.
        seed: of the draw; None: by chance.
    """

    max_error: float = MAX_ERROR
    confidence: float = CONFIDENCE
    bad_below: float = BAD_BELOW
    audit: int | None = None
    seed: int | None = None

    @property
    def terms(self) -> Terms:
        """What the certificate says."""
        return Terms(self.max_error, self.confidence, self.bad_below)


@dataclass(frozen=True)
class Certification:
    """How it stands after a call.

    Attributes:
        attempt: the one this call began or judged.
        begun: this call began it.
        drawn: questions that this call drew.
        judgement: of its audit so far.
        questions: answers that it will probably still take, those that were drawn included; None:
            it is settled, or more than the bound is expected to be bad.
        accepted: masks that this call accepted.
        voided: numbers of the attempts that this call found void.
    """

    attempt: Attempt
    begun: bool
    drawn: int
    judgement: Judgement
    questions: int | None
    accepted: int
    voided: list[int]


def certify_masks(
    workspace: Workspace, request: CertifyRequest, progress: Progress = SILENT
) -> Certification:
    """Go on with the open attempt, or begin one.

    Args:
        workspace: opened.
        request: what is to be proven, as the open attempt has it, if there is one.
        progress: told what is under way.

    Raises:
        CertifyError: an attempt of other terms is open, there is no fitted score, no set is worth
            an audit, or there is nothing to accept.
        WorkspaceError: a blob is missing or damaged.
    """
    terms = request.terms
    progress.begin("certifying", None, "attempts")
    voided = void_changed(workspace)
    found = _open(workspace)
    begun = found is None
    if found is None:
        _begin(workspace, terms, request.audit, request.seed)
        found = _open(workspace)
        assert found is not None  # just written
    elif found.terms != terms:
        raise CertifyError(
            f"attempt {found.number} is open: at most {found.terms.max_error:g} bad at "
            f"{found.terms.confidence:g}, bad below IoU {found.terms.bad_below:g}; go on with the "
            "same options, or give it up (--abandon)"
        )
    before = 0 if begun else found.audit_size
    judgement, questions, accepted = _judge(workspace, found)
    with reader(workspace.engine).begin() as connection:
        attempt = ledger.attempts(connection)[-1]
    drawn = attempt.audit_size - before
    return Certification(attempt, begun, drawn, judgement, questions, accepted, voided)


def abandon_attempt(workspace: Workspace) -> Attempt:
    """Give the open attempt up; its share of alpha stays spent.

    Raises:
        CertifyError: none is open.
    """
    found = _open(workspace)
    if found is None:
        raise CertifyError("no attempt is open")
    with workspace.engine.begin() as connection:
        return ledger.end(connection, found, AttemptState.FAILED, "given up")


def void_changed(workspace: Workspace) -> list[int]:
    """Void the attempts, certificates too, whose masks or score are not what they were.

    Masks change when a teacher labels their portraits again or photos are forgotten.

    Returns:
        Their numbers.
    """
    score = require_score(workspace)
    voided = []
    with workspace.engine.begin() as connection:
        for each, reason in ledger.changed(connection, score.id):
            ledger.end(connection, each, AttemptState.VOID, reason)
            voided.append(each.number)
    return voided


def _open(workspace: Workspace) -> Attempt | None:
    with reader(workspace.engine).begin() as connection:
        known = ledger.attempts(connection)
    return next((each for each in known if each.state is AttemptState.OPEN), None)


def _begin(workspace: Workspace, terms: Terms, limit: int | None, seed: int | None) -> None:
    score = require_score(workspace)
    if score.kind == "default" or score.bad_below != terms.bad_below:
        raise CertifyError(
            "there is no score fitted on people's decisions with this limit of IoU: "
            f"`dataengine scores fit --bad-below {terms.bad_below:g}`"
        )
    score_masks(workspace)
    assign_splits(workspace)
    with workspace.engine.begin() as connection:
        known = ledger.attempts(connection)
        number = len(known) + 1
        alpha = alpha_of_attempt(1 - terms.confidence, number)
        masks = acceptable_masks(connection, score)
        if not masks:
            raise CertifyError(
                "no undecided mask outside of the test split: there is nothing to accept"
            )
        among = _scored(connection, score.id)
        seen, bad = looked_at(workspace, connection, score, terms, known)
        expectation = expect(ranked(seen, among), bad, terms.max_error)
        doubt = np.array([each for each, _ in masks])
        layout = choose_size(ranked(doubt, among), expectation, terms.max_error, alpha)
        if layout.gain <= 0:
            raise CertifyError(
                f"no threshold promises that an audit is worth it: of {len(bad):,} masks that "
                f"chance chose and people looked at {bad.sum():,} are bad, and of the "
                f"{len(masks):,} undecided ones an audit would have to see most; it takes more, "
                "more reviews (`dataengine review push --order random`, then `scores fit`), or a "
                "larger --max-error"
            )
        # Masks of equal doubt are accepted together.
        size = int(np.searchsorted(doubt, doubt[layout.size - 1], side="right"))
        listed = [mask_id for _, mask_id in masks[:size]]
        values = {
            "number": number,
            "score_model_id": score.id,
            "threshold": masks[size - 1][0],
            "max_error": terms.max_error,
            "confidence": terms.confidence,
            "alpha": alpha,
            "bad_below": terms.bad_below,
            "population": len(listed),
            "question_limit": limit,
            "seed": secrets.randbelow(_SEEDS) if seed is None else seed,
            "producers": ledger.producers(connection, listed),
        }
        ledger.begin(connection, values, listed, strata_of(len(listed)).tolist())
        attempt = ledger.attempts(connection)[-1]
        audit, ahead = _outlook(workspace, connection, attempt, {})
        assert ahead is not None  # nothing was drawn
        _refuse_too_few(attempt, audit, ahead)
        _draw(connection, attempt, audit, ahead)


def _scored(connection: Connection, score_id: int) -> Floats:
    return np.sort(np.array(list(doubts(connection, score_id).values()), np.float64))


def _outlook(
    workspace: Workspace, connection: Connection, attempt: Attempt, answers: Mapping[int, bool]
) -> tuple[Audit, Outlook | None]:
    """What the answers say, and how it goes on; None: everything was drawn."""
    strata, drawn = ledger.strata(connection, attempt), ledger.drawn(connection, attempt)
    audit = audit_of(attempt.waves or [], strata, drawn, answers)
    if not audit.unseen:
        return audit, None
    score = current_score(connection)
    assert score is not None  # the attempt is about it
    among = _scored(connection, score.id)
    seen, bad = looked_at(workspace, connection, score, attempt.terms, ledger.attempts(connection))
    expectation = expect(ranked(seen, among), bad, attempt.terms.max_error)
    doubt = doubts(connection, score.id)
    ranks = ranked(np.array([doubt[mask_id] for mask_id in strata]), among)
    rates = expectation.rates(mean_ranks(list(strata.values()), ranks))
    return audit, outlook(audit, rates, attempt.terms.max_error, attempt.alpha)


def _draw(connection: Connection, attempt: Attempt, audit: Audit, ahead: Outlook) -> Attempt:
    """Draw the next questions; as many as may be, if that is fewer."""
    size = min(ahead.wave_size, audit.unseen)
    if attempt.question_limit is not None:
        size = attempt.question_limit - attempt.audit_size
    strata = ledger.strata(connection, attempt)
    used = set(ledger.drawn(connection, attempt))
    left = [mask_id for mask_id in strata if mask_id not in used]
    chance = np.random.default_rng([attempt.seed, len(attempt.waves or [])])
    stratum = np.array([strata[mask_id] for mask_id in left], np.int64)
    rows = draw(ahead.stakes.tolist(), stratum, min(size, len(left)), chance)
    wave = ahead.wave(len(rows))
    return ledger.add_wave(connection, attempt, wave, [left[row] for row in rows])


def _refuse_too_few(attempt: Attempt, audit: Audit, ahead: Outlook) -> None:
    """Refuse a limit that no answers could meet."""
    limit = attempt.question_limit
    if limit is None:
        return
    stratum = np.repeat(np.arange(len(audit.sizes)), audit.sizes)
    order = draw(ahead.stakes.tolist(), stratum, len(stratum), np.random.default_rng(attempt.seed))
    spotless = Audit(
        sizes=audit.sizes,
        stakes=ahead.stakes[None],
        expected=ahead.expected[None],
        wave=np.zeros(len(order), np.int64),
        stratum=stratum[order],
        bad=np.zeros(len(order)),
    )
    low, high = 1, len(order)
    while low < high:
        middle = (low + high) // 2
        if spotless.up_to(middle).proves(attempt.terms.max_error, attempt.alpha):
            high = middle
        else:
            low = middle + 1
    if limit < low:
        raise CertifyError(
            f"an audit of {limit} of {attempt.population:,} masks proves nothing, whatever it "
            f"finds: attempt {attempt.number} takes at least {low}; nothing was spent"
        )


def _judge(workspace: Workspace, attempt: Attempt) -> tuple[Judgement, int | None, int]:
    """Judge the answers so far; draw more questions, or end the attempt, if that is due."""
    with reader(workspace.engine).begin() as connection:
        answers = audit_answers(workspace, connection, attempt)
        if attempt.by_doubt:
            audit, ahead = _outlook(workspace, connection, attempt, answers)
            judgement = _judgement(attempt, audit, ahead)
        else:
            judgement, audit, ahead = _uniform(attempt, answers), None, None
    if not judgement.certified and not judgement.hopeless:
        if audit is not None and ahead is not None and len(answers) == attempt.audit_size:
            with workspace.engine.begin() as connection:
                _still_open(connection, attempt)
                more = _draw(connection, attempt, audit, ahead)
            judgement = _judgement(more, audit, ahead)
        expected = math.inf if ahead is None else ahead.questions
        return judgement, math.ceil(expected) if math.isfinite(expected) else None, 0
    # What takes long comes before the transaction that others would have to wait for.
    remember_traits(workspace)
    with reader(workspace.engine).begin() as connection:
        beside = find(connection, attempt, answers, audit)
    found = {"errors": judgement.errors, "bound": judgement.bound, "findings": beside.as_dict()}
    if attempt.by_doubt:
        found["audit_size"] = judgement.audited
    with workspace.engine.begin() as connection:
        _still_open(connection, attempt)
        if not judgement.certified:
            ledger.end(connection, attempt, AttemptState.FAILED, judgement.missing, **found)
            return judgement, None, 0
        ended = ledger.end(connection, attempt, AttemptState.CERTIFIED, None, **found)
        bad = {mask_id for mask_id, is_bad in answers.items() if is_bad}
        return judgement, None, ledger.accept(connection, ended, bad)


def _judgement(attempt: Attempt, audit: Audit, ahead: Outlook | None) -> Judgement:
    """What an audit by doubt says up to its first question without an answer."""
    answered, errors, terms = len(audit.bad), audit.found, attempt.terms
    certified = audit.proves(terms.max_error, attempt.alpha)
    missing, hopeless = None, False
    if not certified:
        spent = attempt.question_limit is not None and answered >= attempt.question_limit
        hopeless = spent or (answered > 0 and (ahead is None or not ahead.worth_it))
        if hopeless:
            why = "with so few questions" if spent else "by an audit that is worth it"
            found = f"{errors:,} of {answered:,} audited masks are bad"
            missing = f"{found}: this set cannot be certified {why}"
        else:
            left = attempt.audit_size - answered
            missing = f"{left:,} of {attempt.audit_size:,} audit answers are missing"
    share = audit.most(attempt.alpha) / max(audit.accepted, 1)
    return Judgement(certified, answered, errors, share, attempt.alpha, missing, hopeless)


def _uniform(attempt: Attempt, answers: Mapping[int, bool]) -> Judgement:
    """What an audit says that was drawn uniformly, all at once, as audits used to be."""
    return judge_audit(
        errors=sum(answers.values()),
        audited=len(answers),
        planned=attempt.audit_size,
        population=attempt.population,
        max_error=attempt.terms.max_error,
        alpha=attempt.alpha,
    )


def _still_open(connection: Connection, attempt: Attempt) -> None:
    """Refuse to end an attempt that is not what it was when its audit was judged."""
    now = next(each for each in ledger.attempts(connection) if each.id == attempt.id)
    listed = ledger.fingerprint(connection, ledger.items(connection, attempt))
    if now.state is not AttemptState.OPEN or listed != attempt.listed_sha256:
        raise CertifyError(
            f"attempt {attempt.number} has changed while it was judged: run certify again"
        )
