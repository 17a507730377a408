"""New questions: what is known of each before it is written down, and how it is."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Honeypot, Purpose, RequestState, ReviewRequest


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What a honeypot shows; fields as in `db.Honeypot`."""

    shown_blob: str | None
    damage: str | None
    iou: float


@dataclass(frozen=True, slots=True)
class NewQuestion:
    """A question that is not written down yet.

    Attributes:
        mask_id: the revision it is about.
        portrait_id: whose.
        purpose: why it is asked.
        replicate: how often this revision was asked about for this purpose before.
        at_random: chance alone chose it.
        known: for a honeypot: the answer.
    """

    mask_id: int
    portrait_id: int
    purpose: Purpose
    replicate: int = 0
    at_random: bool = True
    known: KnownAnswer | None = None


def shuffled(*kinds: Iterable[NewQuestion]) -> list[NewQuestion]:
    """Questions of all kinds in one order that chance decides: nobody can tell which are which.

    Those of an audit stay as they were drawn, by chance too, among each other: so their answers
    count as they come (`certify.auditing`).
    """
    every = [question for kind in kinds for question in kind]
    audits = iter([each for each in every if each.purpose is Purpose.AUDIT])
    secrets.SystemRandom().shuffle(every)
    return [next(audits) if each.purpose is Purpose.AUDIT else each for each in every]


def add(connection: Connection, project_id: int, questions: Iterable[NewQuestion]) -> None:
    """Write requests down, open, in the order in which they will be sent."""
    wanted = list(questions)
    keys = [secrets.token_hex(16) for _ in wanted]
    rows = [
        {
            "key": key,
            "portrait_id": question.portrait_id,
            "mask_id": question.mask_id,
            "purpose": question.purpose,
            "replicate": question.replicate,
            "drawn_at_random": question.at_random,
            "project_id": project_id,
            "state": RequestState.OPEN,
        }
        for key, question in zip(keys, wanted, strict=True)
    ]
    if rows:
        connection.execute(sa.insert(ReviewRequest), rows)
    for key, question in zip(keys, wanted, strict=True):
        if question.known is not None:
            request_id = sa.select(ReviewRequest.id).where(ReviewRequest.key == key)
            known = question.known
            connection.execute(
                sa.insert(Honeypot).values(
                    request_id=request_id.scalar_subquery(),
                    shown_blob=known.shown_blob,
                    damage=known.damage,
                    iou=known.iou,
                )
            )
