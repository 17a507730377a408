"""Which masks people are asked about next, and in what order they see them."""

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import (
    Mask,
    MaskSource,
    ReviewRequest,
)
from pipelines.doubt.scoring import doubts
from pipelines.masks.agreement import difference
from pipelines.pictures.stored_masks import read_mask
from pipelines.portraits.proposals import Proposal
from pipelines.review.diversity import most_informative
from pipelines.workspace.store import Store

_PROPOSED = (MaskSource.TEACHER, MaskSource.STUDENT)


class Order(StrEnum):
    """Which masks come first; a share is always drawn at random."""

    UNCERTAIN = "uncertain"  # where the network was least sure
    RANDOM = "random"  # all drawn at random
    ID = "id"  # oldest portrait first
    DISAGREEMENT = "disagreement"  # where two networks' masks differ most
    DOUBTFUL = "doubtful"  # where the combined score finds a bad mask most probable
    INFORMATIVE = "informative"  # doubtful, and unlike what was asked about before


@dataclass(frozen=True, slots=True)
class Pick:
    """A chosen proposal, and whether chance alone chose it."""

    proposal: Proposal
    at_random: bool


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
    order: Order,
    connection: Connection,
    store: Store,
    found: Sequence[Proposal],
    number: int = 0,
    features: Mapping[int, NDArray[np.float32]] | None = None,
) -> Callable[[Proposal], float] | None:
    """The rank of each proposal in an order, for `draw`.

    Args:
        order: which come first.
        connection: in a transaction.
        store: with the masks.
        found: what there is.
        number: how many will be asked about; for `INFORMATIVE`, which ranks no more than that.
        features: by portrait, of those that are proposed and of those that were asked about;
            without them what is `INFORMATIVE` is what is doubtful.

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
        case Order.INFORMATIVE:
            doubt = doubts(connection)
            places = _informative(doubt, found, number, features or {})
            return lambda each: places.get(each.mask_id, number - doubt.get(each.mask_id, 1.0) + 1)
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


def _informative(
    doubt: Mapping[int, float],
    found: Sequence[Proposal],
    number: int,
    features: Mapping[int, NDArray[np.float32]],
) -> dict[int, int]:
    """Places of the most informative masks, the first 0, by mask; none of the test split."""
    ranked = [each for each in found if not each.in_test and each.portrait_id in features]
    if not ranked:
        return {}
    proposed = {each.portrait_id for each in found}
    asked = [vector for portrait, vector in features.items() if portrait not in proposed]
    chosen = most_informative(
        np.array([doubt.get(each.mask_id, 1.0) for each in ranked]),
        np.stack([features[each.portrait_id] for each in ranked]),
        np.array([each.group for each in ranked]),
        np.stack(asked) if asked else np.zeros((0, len(features[ranked[0].portrait_id]))),
        min(number, len(ranked)),
    )
    return {ranked[place].mask_id: turn for turn, place in enumerate(chosen)}


def asked_about(connection: Connection) -> list[int]:
    """Portraits of which some mask was ever asked about: what a student will know, or knows."""
    return list(connection.scalars(sa.select(ReviewRequest.portrait_id).distinct()))


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
            read_mask(store, blob), read_mask(store, wanted[portrait_id].blob)
        )
        for portrait_id, blob in before.items()
    }
