"""Questions that measure: accepted masks once more, and honeypots, blind among the others.

A re-check shows an accepted mask again, unchanged: what the accepted masks are worth, and whether
people say the same twice. Its answer counts as any other: where it contradicts, another person is
asked. A honeypot shows a mask whose answer is known: one that a person drew or that two people
accepted, or a trusted mask spoilt on purpose. Its answers measure reviewers and decide nothing.
"""

import math
import secrets
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, Mask, MaskSource, Purpose, RequestState, ReviewRequest, Trust, chunks
from pipelines.masks.judging import encode_mask
from pipelines.masks.spoiling import spoil
from pipelines.pictures.stored_masks import read_mask
from pipelines.portraits.decisions import decided, votes
from pipelines.portraits.latest import no_later_proposal
from pipelines.portraits.reviewer_errors import told_bad_below
from pipelines.portraits.standing import BY_A_PERSON, MinSource, TrustedMask, standings
from pipelines.review.asking import KnownAnswer, NewQuestion
from pipelines.workspace.store import BlobKind, Store
from pipelines.workspace.workspace import Workspace

_ACCEPTED = (Decision.ACCEPT, Decision.CERTIFIED)
_SPOILT_TO = (0.20, 0.05)
"""A spoilt mask's IoU is that much below the limit of a bad one: clearly bad, not absurd."""
_AT_MOST = 0.2
"""Part of a push's limit that re-checks may take."""

Chance = secrets.SystemRandom


def choose_checks(
    workspace: Workspace, connection: Connection, others: int, limit: int | None
) -> list[NewQuestion]:
    """Re-checks and honeypots to be asked about along with other questions.

    Both shares hold over all pushes together, so that they hold for small pushes, too. Spoilt masks
    are written to the store.

    Args:
        workspace: opened.
        connection: reading.
        others: number of the other questions.
        limit: of the push; None: there is none.

    Raises:
        WorkspaceError: a blob is missing, damaged, or cannot be written.
    """
    settings = workspace.settings.review
    asked = _asked(connection)
    again = _rechecks(connection, settings.recheck_share, limit, asked)
    asked.waiting.update(question.portrait_id for question in again)
    number = others + len(again)
    due = math.floor(settings.honeypot_share * (asked.others + number)) - asked.honeypots.total()
    # After a long time without them: not all at once.
    due = min(due, math.ceil(2 * settings.honeypot_share * number))
    return [*again, *_honeypots(workspace, connection, due, asked)]


class _Asked:
    """What was asked so far."""

    def __init__(self) -> None:
        self.others = 0
        self.rechecked: set[int] = set()
        self.honeypots: Counter[int] = Counter()
        self.waiting: set[int] = set()
        """Portraits somebody is being asked about: not to be seen twice at once."""


def _asked(connection: Connection) -> _Asked:
    query = sa.select(
        ReviewRequest.mask_id,
        ReviewRequest.portrait_id,
        ReviewRequest.purpose,
        ReviewRequest.state,
    )
    found = _Asked()
    for mask_id, portrait_id, purpose, state in connection.execute(query):
        if purpose is Purpose.HONEYPOT:
            found.honeypots[mask_id] += 1
        else:
            found.others += 1
        if purpose is Purpose.REPEAT:
            found.rechecked.add(mask_id)
        if state in (RequestState.OPEN, RequestState.SENT):
            found.waiting.add(portrait_id)
    return found


def _rechecks(
    connection: Connection, share: float, limit: int | None, asked: _Asked
) -> list[NewQuestion]:
    """Accepted masks of networks, drawn uniformly from those that were not re-checked."""
    decisions = decided(connection)
    accepted = {mask_id for mask_id, decision in decisions.items() if decision in _ACCEPTED}
    due = math.floor(share * len(accepted | asked.rechecked)) - len(asked.rechecked)
    if limit is not None:
        due = min(due, math.floor(_AT_MOST * limit))
    if due <= 0:
        return []
    query = sa.select(Mask.id, Mask.portrait_id).where(
        Mask.source.in_([MaskSource.TEACHER, MaskSource.STUDENT]), no_later_proposal()
    )
    candidates = [
        NewQuestion(row.id, row.portrait_id, Purpose.REPEAT)
        for row in connection.execute(query.order_by(Mask.id))
        if row.id in accepted
        and row.id not in asked.rechecked
        and row.portrait_id not in asked.waiting
    ]
    return Chance().sample(candidates, min(due, len(candidates)))


def _honeypots(
    workspace: Workspace, connection: Connection, due: int, asked: _Asked
) -> list[NewQuestion]:
    """Half of them good, half spoilt, as far as there are masks known to be good."""
    if due <= 0:
        return []
    trusted = [
        (portrait_id, standing.trusted)
        for portrait_id, standing in standings(connection, MinSource.ANY).items()
        if standing.trusted is not None
        and standing.trusted.trust in BY_A_PERSON
        and portrait_id not in asked.waiting
    ]
    Chance().shuffle(trusted)
    # Least used first: whoever sees a portrait again and again knows it.
    trusted.sort(key=lambda each: asked.honeypots[each[1].mask_id])
    sure = _sure(connection, [mask for _, mask in trusted])
    blobs = _blobs(connection, [mask.mask_id for _, mask in trusted[: 4 * due]])
    limit = told_bad_below(connection)
    made: list[NewQuestion] = []
    for portrait_id, mask in trusted[: 4 * due]:
        if len(made) == due:
            break
        known: KnownAnswer | None = KnownAnswer(None, None, 1.0)
        if mask.mask_id not in sure or Chance().random() < 0.5:
            known = _spoilt(workspace.store, blobs[mask.mask_id], limit)
        if known is not None:
            before = asked.honeypots[mask.mask_id]
            question = NewQuestion(
                mask.mask_id, portrait_id, Purpose.HONEYPOT, before, at_random=True, known=known
            )
            made.append(question)
    return made


def _sure(connection: Connection, trusted: Sequence[TrustedMask]) -> set[int]:
    """Masks that a person drew, or that at least two accepted and nobody did not."""
    cast = votes(connection)
    found = set()
    for each in trusted:
        of_mask = cast.get(each.mask_id, [])
        agreed = all(vote.decision is Decision.ACCEPT for vote in of_mask)
        if each.trust is not Trust.ACCEPTED or (agreed and len(of_mask) > 1):
            found.add(each.mask_id)
    return found


def _blobs(connection: Connection, mask_ids: Collection[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for ids in chunks(sorted(mask_ids)):
        rows = connection.execute(sa.select(Mask.id, Mask.blob).where(Mask.id.in_(ids)))
        found |= {row.id: row.blob for row in rows}
    return found


def _spoilt(store: Store, blob: str, bad_below: float) -> KnownAnswer | None:
    low, high = (max(0.01, bad_below - margin) for margin in _SPOILT_TO)
    good = read_mask(store, blob)
    spoilt = spoil(good, low, max(high, low + 0.01), np.random.default_rng(secrets.randbits(64)))
    if spoilt is None:
        return None
    key = store.put(BlobKind.MASK, encode_mask(spoilt.mask))
    return KnownAnswer(key, str(spoilt.damage), spoilt.iou)
