"""Which masks people are asked about next, and in what order they see them."""

import math
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from db import Decision, Mask, MaskSource, Purpose, RequestState, ReviewRequest, Verdict
from pipelines.masks import difference, read_grey
from pipelines.review.decisions import decided
from pipelines.store import Store

_PROPOSED = (MaskSource.TEACHER, MaskSource.STUDENT)


class Order(StrEnum):
    """Which masks come first; a share is always drawn at random."""

    UNCERTAIN = "uncertain"  # where the network was least sure
    RANDOM = "random"  # all drawn at random
    ID = "id"  # oldest portrait first
    DISAGREEMENT = "disagreement"  # where two networks' masks differ most


@dataclass(frozen=True, slots=True)
class Proposal:
    """A network's mask that nobody has decided about.

    Attributes:
        mask_id: the revision.
        portrait_id: whose.
        blob: store key of the mask.
        confidence: the network's, in [0, 1]; 0 if it said nothing.
        replicate: how often this revision was asked about before.
    """

    mask_id: int
    portrait_id: int
    blob: str
    confidence: float
    replicate: int


@dataclass(frozen=True, slots=True)
class Pick:
    """A chosen proposal, and whether chance alone chose it."""

    proposal: Proposal
    at_random: bool


def no_later_proposal() -> sa.ColumnElement[bool]:
    """Condition on `Mask`: the portrait has no later mask but those people drew in review."""
    later = aliased(Mask)
    newer = sa.select(later.id).where(
        later.portrait_id == Mask.portrait_id,
        later.revision > Mask.revision,
        later.source != MaskSource.HUMAN,
    )
    return ~newer.correlate(Mask).exists()


def proposals(connection: Connection, verdicts: Collection[Verdict]) -> list[Proposal]:
    """Masks worth a question, by portrait.

    A portrait's latest network's mask counts, unless a mask of the portrait was accepted or fixed,
    this one was rejected, or somebody is being asked about it. One that people disagree about is
    worth another question.

    Args:
        connection: in a transaction.
        verdicts: of the automatic checks.
    """
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
        sa.select(Mask.id, Mask.portrait_id, Mask.blob, Mask.scores)
        .where(Mask.source.in_(_PROPOSED), Mask.verdict.in_(list(verdicts)), no_later_proposal())
        .order_by(Mask.portrait_id)
    )
    return [
        Proposal(
            row.id,
            row.portrait_id,
            row.blob,
            float((row.scores or {}).get("confidence", 0.0)),
            replicates.get(row.id, 0),
        )
        for row in connection.execute(query)
        if row.id not in waiting and row.id not in settled and row.portrait_id not in done
    ]


def draw(
    found: Sequence[Proposal],
    limit: int | None,
    random_share: float,
    rank: Callable[[Proposal], float] | None,
) -> list[Pick]:
    """Choose, part by rank and part by chance, in an order that says nothing about either.

    Args:
        found: what there is.
        limit: how many at most.
        random_share: of what is chosen, how much chance alone chooses, at least one.
        rank: lowest first; None: chance chooses all.
    """
    number = len(found) if limit is None else min(limit, len(found))
    chance = secrets.SystemRandom()
    share = 1.0 if rank is None else random_share
    drawn = chance.sample(found, math.ceil(share * number))
    left = {each.mask_id for each in found} - {each.mask_id for each in drawn}
    others = [each for each in found if each.mask_id in left]
    if rank is not None:
        others.sort(key=rank)
    picks = [Pick(each, True) for each in drawn]
    picks += [Pick(each, False) for each in others[: number - len(drawn)]]
    chance.shuffle(picks)
    return picks


def ranking(
    order: Order, connection: Connection, store: Store, found: Sequence[Proposal]
) -> Callable[[Proposal], float] | None:
    """The rank of each proposal in an order, for `draw`.

    Raises:
        WorkspaceError: a mask cannot be read.
    """
    match order:
        case Order.UNCERTAIN:
            return lambda each: each.confidence
        case Order.RANDOM:
            return None
        case Order.ID:
            return lambda each: each.portrait_id
        case Order.DISAGREEMENT:
            differences = _disagreements(connection, store, found)
            return lambda each: -differences.get(each.mask_id, 0.0)


def _disagreements(
    connection: Connection, store: Store, found: Sequence[Proposal]
) -> dict[int, float]:
    """How far a network's mask is from the one before it; only where there are two."""
    wanted = {each.portrait_id: each for each in found}
    query = (
        sa.select(Mask.portrait_id, Mask.blob)
        .where(Mask.source.in_(_PROPOSED))
        .order_by(Mask.portrait_id, Mask.revision)
    )
    before: dict[int, str] = {}
    for portrait_id, blob in connection.execute(query):
        proposal = wanted.get(portrait_id)
        if proposal is not None and blob != proposal.blob:
            before[portrait_id] = blob
    return {
        wanted[portrait_id].mask_id: difference(
            read_grey(store, blob) > 127, read_grey(store, wanted[portrait_id].blob) > 127
        )
        for portrait_id, blob in before.items()
    }


def _portraits_of(connection: Connection, mask_ids: Collection[int]) -> set[int]:
    if not mask_ids:
        return set()
    pairs = connection.execute(sa.select(Mask.id, Mask.portrait_id))
    return {portrait_id for mask_id, portrait_id in pairs if mask_id in mask_ids}


_TRUSTED = frozenset({Decision.ACCEPT, Decision.FIX, Decision.CERTIFIED})
