"""`certify` in a workspace: draw an audit, and, once it is answered, accept the set or do not.

The first call chooses a threshold on reviewed masks, lists the undecided masks below it, and draws
the audit, which the next `review push` asks about among other questions. A later call judges. An
attempt spends its share of alpha when its audit is drawn; it ends certified, failed or void.
"""

import secrets
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from db import AttemptState, reader
from pipelines.certify import attempts as ledger
from pipelines.certify.acceptable_set import (
    CertifyError,
    acceptable_doubt,
    acceptable_masks,
    audit_answers,
)
from pipelines.certify.attempts import Attempt, Terms
from pipelines.certify.certificate import (
    Judgement,
    alpha_of_attempt,
    audit_size,
    judge_audit,
    power,
)
from pipelines.certify.findings import find
from pipelines.certify.threshold import SAFETY
from pipelines.doubt.scoring import require_score, score_masks
from pipelines.doubt.stored_traits import remember_traits
from pipelines.portraits.splits import assign_splits
from pipelines.workspace.defaults import BAD_BELOW, CONFIDENCE, MAX_ERROR
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace

_SEEDS = 2**31


@dataclass(frozen=True, kw_only=True)
class CertifyRequest:
    """What is to be proven; an attempt that is open goes on with the same.

    Attributes:
        max_error: at most this share of the set is bad.
        confidence: of all attempts together.
        bad_below: IoU under which a fixed mask was bad.
        audit: masks to audit; None: 80 % power at half the bound.
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
        begun: this call drew its audit.
        judgement: of its audit so far.
        accepted: masks that this call accepted.
        power: the probability that its audit passes a set of half the bound.
        voided: numbers of the attempts that this call found void.
    """

    attempt: Attempt
    begun: bool
    judgement: Judgement
    accepted: int
    power: float
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
        CertifyError: an attempt of other terms is open, there is no fitted score, no threshold
            is good enough, or there is nothing to accept.
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
    judgement, accepted = _judge(workspace, found)
    chance = power(found.audit_size, SAFETY * terms.max_error, terms.max_error, found.alpha,
                   found.population)  # fmt: skip
    with reader(workspace.engine).begin() as connection:
        attempt = ledger.attempts(connection)[-1]
    return Certification(attempt, begun, judgement, accepted, chance, voided)


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


def _begin(workspace: Workspace, terms: Terms, audit: int | None, seed: int | None) -> None:
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
        threshold = acceptable_doubt(workspace, connection, score, terms, known)
        listed = acceptable_masks(connection, score, threshold)
        if not listed:
            raise CertifyError(
                f"no undecided mask outside of the test split has a doubt of at most "
                f"{threshold:.4f}: there is nothing to accept"
            )
        number = len(known) + 1
        alpha = alpha_of_attempt(1 - terms.confidence, number)
        size = min(audit or audit_size(terms.max_error, alpha, population=len(listed)), len(listed))
        least = audit_size(terms.max_error, alpha, true_error=0, population=len(listed))
        if size < least:
            raise CertifyError(
                f"an audit of {size} of {len(listed):,} masks proves nothing, whatever it finds: "
                f"attempt {number} takes at least {least}; nothing was spent"
            )
        seed = secrets.randbelow(_SEEDS) if seed is None else seed
        drawn = np.random.default_rng(seed).choice(listed, size, replace=False)
        values = {
            "number": number,
            "score_model_id": score.id,
            "threshold": threshold,
            "max_error": terms.max_error,
            "confidence": terms.confidence,
            "alpha": alpha,
            "bad_below": terms.bad_below,
            "population": len(listed),
            "audit_size": size,
            "seed": seed,
            "producers": ledger.producers(connection, listed),
        }
        ledger.begin(connection, values, [int(each) for each in drawn], listed)


def _judge(workspace: Workspace, attempt: Attempt) -> tuple[Judgement, int]:
    with reader(workspace.engine).begin() as connection:
        answers = audit_answers(workspace, connection, attempt)
    judgement = judge_audit(
        errors=sum(answers.values()),
        audited=len(answers),
        planned=attempt.audit_size,
        population=attempt.population,
        max_error=attempt.terms.max_error,
        alpha=attempt.alpha,
    )
    if not judgement.certified and not judgement.hopeless:
        return judgement, 0
    # What takes long comes before the transaction that others would have to wait for.
    remember_traits(workspace)
    with reader(workspace.engine).begin() as connection:
        beside = find(connection, attempt, answers)
    found = {"errors": judgement.errors, "bound": judgement.bound, "findings": beside.as_dict()}
    with workspace.engine.begin() as connection:
        _still_open(connection, attempt)
        if not judgement.certified:
            ledger.end(connection, attempt, AttemptState.FAILED, judgement.missing, **found)
            return judgement, 0
        ended = ledger.end(connection, attempt, AttemptState.CERTIFIED, None, **found)
        bad = {mask_id for mask_id, is_bad in answers.items() if is_bad}
        return judgement, ledger.accept(connection, ended, bad)


def _still_open(connection: Connection, attempt: Attempt) -> None:
    """Refuse to end an attempt that is not what it was when its audit was judged."""
    now = next(each for each in ledger.attempts(connection) if each.id == attempt.id)
    listed = ledger.fingerprint(connection, ledger.items(connection, attempt))
    if now.state is not AttemptState.OPEN or listed != attempt.listed_sha256:
        raise CertifyError(
            f"attempt {attempt.number} has changed while it was judged: run certify again"
        )
