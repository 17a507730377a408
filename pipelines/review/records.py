"""How decisions are written: added or marked withdrawn, never changed.

Functions that take a connection work in the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import Decision, Mask, MaskSource, RequestState, Review, ReviewRequest, insert_new, reader
from pipelines.masks.judging import judge_drawn
from pipelines.portraits.revisions import portrait_input, stored_mask
from pipelines.portraits.rows import NewMask, portraits, save_mask
from pipelines.review.ledger import Question
from pipelines.workspace.settings_used import settings_id
from pipelines.workspace.workspace import Workspace

AnnotationState = tuple[int, datetime]
"""Annotation id and its update time: one state of one answer."""


@dataclass(frozen=True)
class NewReview:
    """A decision that is not written yet; fields as in `db.Review`.

    Attributes:
        drawn: the mask of a fix, whose blobs are in the store; None for one that is not kept.
        fixed_iou: of a fix with what was shown.
        marks: of a fix: the clicks and boxes that made it, as JSON.
    """

    decision: Decision
    reviewer: str
    decided_at: datetime
    seconds: float | None
    reasons: list[str]
    comment: str | None
    annotation_id: int
    drawn: NewMask | None
    fixed_iou: float | None
    marks: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    """What changed.

    Attributes:
        decisions: those that were added.
        withdrawn: number of those that hold no longer.
        is_new_problem: the request has a problem that it did not have.
    """

    decisions: list[Decision]
    withdrawn: int
    is_new_problem: bool


def standing(connection: Connection, request_id: int) -> dict[AnnotationState, int]:
    """Ids of the reviews of a request that hold, by the annotation's state."""
    query = sa.select(Review.id, Review.annotation_id, Review.annotation_updated_at).where(
        Review.request_id == request_id, Review.withdrawn_at.is_(None)
    )
    return {
        (row.annotation_id, row.annotation_updated_at): row.id for row in connection.execute(query)
    }


def write(
    connection: Connection,
    question: Question,
    task_id: int,
    new: Sequence[NewReview],
    gone: Sequence[int],
    problem: str | None,
) -> Written:
    """Bring a request to what the server says of its task.

    Args:
        connection: in a transaction.
        question: the request.
        task_id: its task.
        new: decisions to add; those that another pull has added are left out.
        gone: ids of reviews that hold no longer.
        problem: why an answer cannot be used.
    """
    withdraw = (
        sa.update(Review)
        .where(Review.id.in_(gone), Review.withdrawn_at.is_(None))
        .values(withdrawn_at=datetime.now(UTC))
    )
    withdrawn = connection.execute(withdraw).rowcount if gone else 0
    added = [each.decision for each in new if _add(connection, question, each)]
    holds = bool(standing(connection, question.id))
    of_request = sa.select(ReviewRequest.state, ReviewRequest.problem, ReviewRequest.task_id)
    before = connection.execute(of_request.where(ReviewRequest.id == question.id)).one()
    state = before.state
    if holds:
        state = RequestState.ANSWERED
    elif state != RequestState.SUPERSEDED:
        state = RequestState.SENT
    if tuple(before) != (state, problem, task_id):
        update = sa.update(ReviewRequest).where(ReviewRequest.id == question.id)
        connection.execute(update.values(state=state, problem=problem, task_id=task_id))
    return Written(added, withdrawn, problem is not None and problem != before.problem)


def store_drawn(
    workspace: Workspace, portrait_id: int, drawn: NDArray[np.bool_], reviewer: str
) -> NewMask:
    """Judge a mask that a person drew, and write its blob.

    Args:
        workspace: opened.
        portrait_id: whose mask it is.
        drawn: (H, W) bool, of the portrait's size.
        reviewer: who drew it.

    Raises:
        WorkspaceError: a blob is missing or damaged, or cannot be written.
    """
    with reader(workspace.engine).begin() as connection:
        portrait = portraits(connection, ids=[portrait_id])[portrait_id]
    judged = judge_drawn(portrait_input(workspace.store, portrait), drawn, workspace.settings)
    used = settings_id(workspace)
    return stored_mask(workspace.store, portrait_id, judged, MaskSource.HUMAN, reviewer, used)


def _add(connection: Connection, question: Question, new: NewReview) -> bool:
    """Add a decision, and the mask it drew; False if another pull was quicker."""
    row = {
        "mask_id": question.mask_id,
        "request_id": question.id,
        "decision": new.decision,
        "reviewer": new.reviewer,
        "decided_at": new.decided_at,
        "seconds": new.seconds,
        "reasons": new.reasons,
        "comment": new.comment,
        "annotation_id": new.annotation_id,
        "annotation_updated_at": new.decided_at,
        "fixed_iou": new.fixed_iou,
        "marks": new.marks or None,
    }
    added = insert_new(connection, Review, [row])
    if not added:
        return False
    if new.drawn is not None:
        mask_id = _drawn_before(connection, new.drawn) or save_mask(connection, new.drawn)
        update = sa.update(Review).where(Review.id == added[0])
        connection.execute(update.values(fixed_mask_id=mask_id))
    return True


def _drawn_before(connection: Connection, mask: NewMask) -> int | None:
    """The revision with just these pixels, if only a comment of the answer was edited."""
    return connection.scalar(
        sa.select(Mask.id).where(
            Mask.portrait_id == mask.portrait_id,
            Mask.source == MaskSource.HUMAN,
            Mask.blob == mask.blob,
        )
    )
