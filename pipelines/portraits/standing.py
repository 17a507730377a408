"""Which mask of a portrait may be learnt from, and why.

Trusted means: accepted or fixed by a person, imported, or accepted under a certificate. The latest
such revision of each portrait is released; what people disagree about is not trusted.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, Mask, MaskSource, Trust
from pipelines.masks.verdict import Reason
from pipelines.portraits.decisions import Vote, majority, votes


class MinSource(StrEnum):
    """The least that a mask needs to be released."""

    HUMAN = "human"  # a person's decision in review, whoever made the mask
    CERTIFIED = "certified"  # that, or a certificate
    ANY = "any"  # all that is trusted: also masks that came with their images


ALLOWED: dict[MinSource, frozenset[Trust]] = {
    MinSource.HUMAN: frozenset({Trust.ACCEPTED, Trust.FIXED}),
    MinSource.CERTIFIED: frozenset({Trust.ACCEPTED, Trust.FIXED, Trust.CERTIFIED}),
    MinSource.ANY: frozenset(Trust),
}

BY_A_PERSON = frozenset({Trust.ACCEPTED, Trust.FIXED, Trust.IMPORTED})
"""Whose masks a person has decided on or drawn: only these may stand in `test`."""

_NOT_AS_IT_CAME = frozenset({Reason.EMPTY_MASK, Reason.FACE_OUTSIDE_MASK, Reason.LEFT_OPEN})
_TRUST = {Decision.ACCEPT: Trust.ACCEPTED, Decision.CERTIFIED: Trust.CERTIFIED}


@dataclass(frozen=True, slots=True)
class TrustedMask:
    """A portrait's mask that is trusted.

    Attributes:
        mask_id: the revision.
        trust: why.
        decided_at: when it was accepted or drawn; None for an import.
    """

    mask_id: int
    trust: Trust
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a portrait stands with people.

    Attributes:
        trusted: its latest trusted mask; None if it has none.
        rejected: the last that people said of it is that the mask is bad.
        looked_at: somebody decided about one of its masks.
    """

    trusted: TrustedMask | None
    rejected: bool
    looked_at: bool


class _Revision(NamedTuple):
    """A mask, and whether it is trusted as an import as long as nobody says otherwise."""

    mask_id: int
    is_import: bool


def standings(
    connection: Connection, min_source: MinSource, portrait_ids: Sequence[int] | None = None
) -> dict[int, Standing]:
    """How every portrait with a mask stands, by portrait id.

    Args:
        connection: in a transaction.
        min_source: what counts as trusted.
        portrait_ids: only these, a few hundred at most; default all.
    """
    columns = sa.select(Mask.id, Mask.portrait_id, Mask.source, Mask.reasons)
    if portrait_ids is not None:
        columns = columns.where(Mask.portrait_id.in_(portrait_ids))
    revisions: dict[int, list[_Revision]] = defaultdict(list)
    for mask_id, portrait_id, source, reasons in connection.execute(
        columns.order_by(Mask.portrait_id, Mask.revision)
    ):
        # A person's mask may be of another person in the photo: then it misses this face. And what
        # it leaves open somebody has to decide.
        is_import = source is MaskSource.IMPORT and _NOT_AS_IT_CAME.isdisjoint(reasons or ())
        revisions[portrait_id].append(_Revision(mask_id, is_import))
    some = portrait_ids is not None
    masks = [mask_id for each in revisions.values() for mask_id, _ in each] if some else None
    cast = votes(connection, masks)
    return {
        portrait_id: _standing(of_portrait, cast, ALLOWED[min_source])
        for portrait_id, of_portrait in revisions.items()
    }


def _standing(
    revisions: list[_Revision],
    cast: Mapping[int, list[Vote]],
    allowed: frozenset[Trust],
) -> Standing:
    """Judge a portrait by its revisions, oldest first."""
    trusted: dict[int, TrustedMask] = {}
    outcomes = []
    for mask_id, is_import in revisions:
        of_mask = cast.get(mask_id, [])
        outcome = majority(vote.decision for vote in of_mask) if of_mask else None
        if of_mask:
            outcomes.append(outcome)
        if outcome is Decision.FIX:
            # Of several people who drew, the last is shown what the others did or knows better.
            fix = [vote for vote in of_mask if vote.decision is Decision.FIX][-1]
            if fix.fixed_mask_id is not None:
                found = TrustedMask(fix.fixed_mask_id, Trust.FIXED, fix.decided_at)
                trusted[fix.fixed_mask_id] = found
        elif outcome in _TRUST:
            when = max(vote.decided_at for vote in of_mask if vote.decision is outcome)
            trusted[mask_id] = TrustedMask(mask_id, _TRUST[outcome], when)
        elif of_mask:
            # Of what a person drew, too: another found it bad.
            trusted.pop(mask_id, None)
        elif is_import:
            trusted[mask_id] = TrustedMask(mask_id, Trust.IMPORTED, None)
    usable = [
        trusted[mask_id]
        for mask_id, _ in revisions
        if mask_id in trusted and trusted[mask_id].trust in allowed
    ]
    return Standing(
        trusted=usable[-1] if usable else None,
        rejected=bool(outcomes) and outcomes[-1] is Decision.REJECT,
        looked_at=bool(outcomes),
    )
