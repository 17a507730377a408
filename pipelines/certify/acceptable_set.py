"""Which masks `certify` may accept, what is known of such masks, and the answers of an audit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import AttemptState, Purpose, Verdict
from pipelines.certify import attempts as ledger
from pipelines.certify.attempts import Attempt, Terms
from pipelines.certify.betting import Floats
from pipelines.doubt.decided import decided_masks
from pipelines.doubt.scoring import KnownScore, doubts
from pipelines.portraits.content_order import in_content_order
from pipelines.portraits.proposals import proposals
from pipelines.workspace.workspace import Workspace

_ACCEPTABLE = (Verdict.CANDIDATE, Verdict.REVIEW)


def looked_at(
    workspace: Workspace,
    connection: Connection,
    score: KnownScore,
    terms: Terms,
    known: Sequence[Attempt],
) -> tuple[Floats, NDArray[np.bool_]]:
    """Doubt and truth of masks that chance chose: reviewed ones, and the audits of this score.

    The reviewed ones' doubt is by models that were fitted without them.

    Args:
        workspace: opened.
        connection: in a transaction.
        score: the current one, fitted.
        terms: what is to be proven.
        known: all attempts so far.

    Returns:
        (N,) in [0, 1], and (N,).

    Raises:
        WorkspaceError: a mask cannot be read.
    """
    at_random = np.array(score.evidence.at_random, np.bool_)
    doubt = np.array(score.evidence.out_of_fold, np.float64)[at_random]
    bad = np.array(score.evidence.bad, np.bool_)[at_random]
    said = doubts(connection, score.id)
    for attempt in known:
        if attempt.state in (AttemptState.FAILED, AttemptState.OPEN) and (
            attempt.score_id == score.id
        ):
            answers = audit_answers(workspace, connection, attempt, terms.bad_below)
            judged = [mask_id for mask_id in answers if mask_id in said]
            doubt = np.append(doubt, [said[mask_id] for mask_id in judged])
            bad = np.append(bad, np.array([answers[mask_id] for mask_id in judged], np.bool_))
    return doubt, bad


def acceptable_masks(connection: Connection, score: KnownScore) -> list[tuple[float, int]]:
    """Undecided masks that were in no audit, as (doubt, mask), the least doubtful first.

    The test split is for people alone.
    """
    doubt, used = doubts(connection, score.id), ledger.ever_audited(connection)
    masks = [
        each.mask_id
        for each in proposals(connection, _ACCEPTABLE)
        if not each.in_test and each.mask_id not in used and each.mask_id in doubt
    ]
    # Equally doubtful ones stay in the order of their content.
    by_doubt = sorted(in_content_order(connection, masks), key=lambda mask_id: doubt[mask_id])
    return [(doubt[mask_id], mask_id) for mask_id in by_doubt]


def audit_answers(
    workspace: Workspace, connection: Connection, attempt: Attempt, bad_below: float | None = None
) -> dict[int, bool]:
    """Mask → bad, of the audit's questions that were answered without a tie.

    Args:
        workspace: opened.
        connection: in a transaction.
        attempt: whose audit.
        bad_below: IoU under which a fixed mask was bad; None: as the attempt was told.

    Raises:
        WorkspaceError: a mask cannot be read.
    """
    audited = set(ledger.drawn(connection, attempt))
    limit = attempt.terms.bad_below if bad_below is None else bad_below
    decided = decided_masks(connection, workspace.store, limit, Purpose.AUDIT)
    return {each.mask_id: each.bad for each in decided if each.mask_id in audited}
