"""Which masks people are asked about next, and in what order they see them."""

import math
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

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
from pipelines.masks import difference, read_grey
from pipelines.quality.scoring import doubts
from pipelines.releases.splits import places
from pipelines.review.decisions import decided
from pipelines.scores import DISAGREEMENT
from pipelines.store import Store

_PROPOSED = (MaskSource.TEACHER, MaskSource.STUDENT)


class Order(StrEnum):
    """Which masks come first; a share is always drawn at random."""

    UNCERTAIN = "uncertain"  # where the network was least sure
    RANDOM = "random"  # all drawn at random
    ID = "id"  # oldest portrait first
    DISAGREEMENT = "disagreement"  # where two networks' masks differ most
    DOUBTFUL = "doubtful"  # where the combined score finds a bad mask most probable


@dataclass(frozen=True, slots=True)
class Proposal:
    """A network's mask that nobody has decided about.

    Attributes:
        mask_id: the revision.
        portrait_id: whose.
        blob: store key of the mask.
        confidence: the network's, in [0, 1]; 0 if it said nothing.
        replicate: how often this revision was asked about before.
        disagreement: of a second network with the mask, in [0, 1]; None: nobody was asked.
        in_test: its photo falls to the split `test`.
    """

    mask_id: int
    portrait_id: int
    blob: str
    confidence: float
    replicate: int
    disagreement: float | None = None
    in_test: bool = False


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
        .where(Mask.source.in_(_PROPOSED), no_later_proposal())
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
                )
            )
    return found


def draw(
    found: Sequence[Proposal],
    limit: int | None,
    random_share: float,
    rank: Callable[[Proposal], float] | None,
) -> list[Pick]:
    """Choose, part by rank and part by chance, in an order that says nothing about either.

    The test split has its share of every choice, and there chance alone chooses: a test set of
    what was asked about first would hold just the doubtful masks, or just the easy ones.

    Args:
        found: what there is.
        limit: how many at most.
        random_share: of what is chosen outside of the test split, how much chance alone chooses,
            at least one.
        rank: lowest first; None: chance chooses all.
    """
    number = len(found) if limit is None else min(limit, len(found))
    if not number:
        return []
    chance = secrets.SystemRandom()
    of_test = [each for each in found if each.in_test]
    of_others = [each for each in found if not each.in_test]
    drawn = chance.sample(of_test, math.ceil(number * len(of_test) / len(found)))
    number -= len(drawn)
    share = 1.0 if rank is None else random_share
    drawn += chance.sample(of_others, math.ceil(share * number))
    left = {each.mask_id for each in of_others} - {each.mask_id for each in drawn}
    ranked = [each for each in of_others if each.mask_id in left]
    if rank is not None:
        ranked.sort(key=rank)
    picks = [Pick(each, True) for each in drawn]
    picks += [Pick(each, False) for each in ranked[: number - math.ceil(share * number)]]
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
        case Order.DOUBTFUL:
            doubt = doubts(connection)
            # A mask that cannot be scored is as doubtful as can be.
            return lambda each: -doubt.get(each.mask_id, 1.0)
        case Order.DISAGREEMENT:
            # A second opinion was asked for when the mask was made; else the two latest masks.
            unknown = [each for each in found if each.disagreement is None]
            differences = _disagreements(connection, store, unknown)
            return lambda each: (
                -(
                    differences.get(each.mask_id, 0.0)
                    if each.disagreement is None
                    else each.disagreement
                )
            )


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
