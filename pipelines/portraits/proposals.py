"""Masks of networks that nobody has decided about: to be asked about, or to be certified."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    Decision,
    Mask,
    MaskSource,
    Portrait,
    Purpose,
    RequestState,
    ReviewRequest,
    Split,
    Verdict,
)
from pipelines.masks.scores import DISAGREEMENT
from pipelines.masks.verdict import Reason
from pipelines.portraits.decisions import decided
from pipelines.portraits.latest import no_later_proposal
from pipelines.portraits.splits import places

_PROPOSED = (MaskSource.TEACHER, MaskSource.STUDENT)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mask that nobody has decided about: a network's, or one that its maker left open in part.

    Attributes:
        mask_id: the revision.
        portrait_id: whose.
        blob: store key of the mask.
        confidence: the network's, in [0, 1]; 0 if it said nothing.
        replicate: how often this revision was asked about before.
        disagreement: of a second network with the mask, in [0, 1]; None: nobody was asked.
        in_test: its photo falls to the split `test`.
        group: number of its photo's group of near-duplicates.
    """

    mask_id: int
    portrait_id: int
    blob: str
    confidence: float
    replicate: int
    disagreement: float | None = None
    in_test: bool = False
    group: int = 0


def proposals(connection: Connection, verdicts: Collection[Verdict]) -> list[Proposal]:
    """Masks worth a question, by portrait.

    A portrait's latest network's mask counts, unless a mask of the portrait was accepted or fixed,
    this one was rejected, or somebody is being asked about it. One that people disagree about is
    worth another question. Portraits that no release will hold are not worth one.

    Args:
        connection: in a transaction.
        verdicts: of the automatic checks; those of the test split count with any, since a test set
            without the hard ones would be too easy.
    """
    placed = places(connection)
    asked = sa.select(ReviewRequest.mask_id, ReviewRequest.state, ReviewRequest.replicate).where(
        ReviewRequest.purpose == Purpose.REVIEW
    )
    waiting: set[int] = set()
    replicates: dict[int, int] = {}
    for mask_id, state, replicate in connection.execute(asked):
        replicates[mask_id] = max(replicates.get(mask_id, 0), replicate + 1)
        if state in (RequestState.OPEN, RequestState.SENT):
            waiting.add(mask_id)
    decisions = decided(connection)
    good = {mask_id for mask_id, decision in decisions.items() if decision in _TRUSTED}
    # An answered request whose answers were all withdrawn is asked again: it has no decision.
    settled = {mask_id for mask_id, decision in decisions.items() if decision is not None}
    done = _portraits_of(connection, good)
    query = (
        sa.select(
            Mask.id, Mask.portrait_id, Mask.blob, Mask.scores, Mask.verdict, Portrait.image_id
        )
        .join(Portrait, Portrait.id == Mask.portrait_id)
        .where(sa.or_(Mask.source.in_(_PROPOSED), _left_open()), no_later_proposal())
        .order_by(Mask.portrait_id)
    )
    found = []
    for row in connection.execute(query):
        place = placed.get(row.image_id)
        in_test = place is not None and place.split is Split.TEST
        if row.verdict not in verdicts and not in_test:
            continue
        if row.id in waiting or row.id in settled or row.portrait_id in done:
            continue
        if place is None or not place.left_out:
            scores, replicate = row.scores or {}, replicates.get(row.id, 0)
            found.append(
                Proposal(
                    row.id,
                    row.portrait_id,
                    row.blob,
                    float(scores.get("confidence", 0.0)),
                    replicate,
                    scores.get(DISAGREEMENT),
                    in_test,
                    row.image_id if place is None else place.group_id,
                )
            )
    return found


def _left_open() -> sa.ColumnElement[bool]:
    """Masks that came along and are not trusted as they are, but may be right."""
    said = sa.cast(Mask.reasons, sa.Text).contains(f'"{Reason.LEFT_OPEN}"')
    return sa.and_(Mask.source == MaskSource.IMPORT, said)


def _portraits_of(connection: Connection, mask_ids: Collection[int]) -> set[int]:
    if not mask_ids:
        return set()
    pairs = connection.execute(sa.select(Mask.id, Mask.portrait_id))
    return {portrait_id for mask_id, portrait_id in pairs if mask_id in mask_ids}


_TRUSTED = frozenset({Decision.ACCEPT, Decision.FIX, Decision.CERTIFIED})
