"""Which masks `certify` would accept: the threshold, the list, and the answers of an audit."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.engine import Connection

from db import AttemptState, Purpose, Verdict
from pipelines.certify import attempts as ledger
from pipelines.certify.attempts import Attempt, Terms
from pipelines.certify.threshold import SAFETY, choose_threshold
from pipelines.doubt.decided import decided_masks
from pipelines.doubt.scoring import KnownScore, doubts
from pipelines.portraits.proposals import proposals
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace

_ACCEPTABLE = (Verdict.CANDIDATE, Verdict.REVIEW)


class CertifyError(PipelineError):
    """Nothing can be certified; the message says what is missing."""


def acceptable_doubt(
    workspace: Workspace,
    connection: Connection,
    score: KnownScore,
    terms: Terms,
    known: Sequence[Attempt],
) -> float:
    """The largest doubt of a mask that may be accepted.

    Chosen on masks that chance chose: reviewed ones, and the audits of failed attempts.

    Args:
        workspace: opened.
        connection: in a transaction.
        score: the current one, fitted.
        terms: what is to be proven.
        known: all attempts so far.

    Raises:
        CertifyError: no threshold promises half the bound.
        WorkspaceError: a mask cannot be read.
    """
    drawn = np.array(score.evidence.at_random, np.bool_)
    doubt = np.array(score.evidence.out_of_fold)[drawn]
    bad = np.array(score.evidence.bad, np.bool_)[drawn]
    highest = np.inf
    said = doubts(connection, score.id)
    for attempt in known:
        if attempt.state is not AttemptState.FAILED or attempt.score_id != score.id:
            continue
        # Its audit tells about the masks below its threshold alone.
        answers = audit_answers(workspace, connection, attempt)
        highest = min(highest, attempt.threshold)
        within = doubt <= highest
        judged = [mask_id for mask_id in answers if mask_id in said]
        doubt = np.append(doubt[within], [said[mask_id] for mask_id in judged])
        bad = np.append(bad[within], [answers[mask_id] for mask_id in judged]).astype(np.bool_)
    threshold = choose_threshold(doubt, bad, terms.max_error)
    if threshold is None:
        raise CertifyError(
            f"no threshold promises less than {SAFETY * terms.max_error:.2%} bad masks, half the "
            f"bound: of {len(bad):,} masks that were drawn at random and reviewed {bad.sum():,} "
            f"are bad; it takes at least {int(1 / terms.max_error)} good ones in a row, so review "
            "more (`dataengine review push --order random`) and fit again"
        )
    return min(threshold, float(highest))


def acceptable_masks(connection: Connection, score: KnownScore, threshold: float) -> list[int]:
    """Undecided masks up to the threshold; the test split is for people alone."""
    doubt, used = doubts(connection, score.id), ledger.ever_audited(connection)
    return sorted(
        each.mask_id
        for each in proposals(connection, _ACCEPTABLE)
        if not each.in_test
        and each.mask_id not in used
        and doubt.get(each.mask_id, np.inf) <= threshold
    )


def audit_answers(
    workspace: Workspace, connection: Connection, attempt: Attempt
) -> dict[int, bool]:
    """Mask → bad, of the audit's questions that were answered without a tie.

    Raises:
        WorkspaceError: a mask cannot be read.
    """
    audited = set(ledger.items(connection, attempt, audited=True))
    decided = decided_masks(connection, workspace.store, attempt.terms.bad_below, Purpose.AUDIT)
    return {each.mask_id: each.bad for each in decided if each.mask_id in audited}
