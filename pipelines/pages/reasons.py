"""Why a portrait came into a release, left it, or has another mask there, and by whom."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    AttemptState,
    Decision,
    Image,
    MaskSource,
    ReleaseItem,
    Review,
    Trust,
    chunks,
    reader,
)
from pipelines.certify import attempts as ledger
from pipelines.origins.rows import refused_images
from pipelines.pages.sides import Side
from pipelines.portraits.decisions import Vote, votes
from pipelines.portraits.splits import places
from pipelines.portraits.standing import MinSource, Standing, standings
from pipelines.releases.entry import Entry
from pipelines.workspace.workspace import Workspace


class Why(StrEnum):
    """What made the difference."""

    REVIEW = "review"  # people decided
    RELABEL = "relabel"  # a student proposed the mask
    CERTIFICATE = "certificate"  # one accepted the mask, or accepts it no longer
    IMPORT = "import"  # a person's mask came with the image
    CONFIRM = "confirm"  # nobody is in the photo
    FORGET = "forget"  # the photo was forgotten
    POLICY = "policy"  # the origin may not be used
    NEAR_DUPLICATE = "near_duplicate"  # the photo is like one of a stricter split
    UNKNOWN = "unknown"  # nothing here tells


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why, and by whom: reviewers, a network, a certificate; empty: nothing here tells."""

    why: Why
    by: str


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What a workspace knows beside the manifests; empty without one.

    Attributes:
        votes: by mask.
        drawn_by: who drew a mask, by its id.
        standing: of portraits now.
        forgotten: names of members of the older release whose photos were forgotten.
        void: masks of certificates that hold no longer, with the certificate's number.
        refused: portraits whose photo the policy refuses.
        left_out: portraits whose photo is a near-duplicate of one in a stricter split.
    """

    votes: Mapping[int, list[Vote]] = field(default_factory=dict)
    drawn_by: Mapping[int, str] = field(default_factory=dict)
    standing: Mapping[int, Standing] = field(default_factory=dict)
    forgotten: Collection[str] = frozenset()
    void: Mapping[int, int] = field(default_factory=dict)
    refused: Collection[str] = frozenset()
    left_out: Collection[str] = frozenset()


def knowledge(workspace: Workspace | None, older: Side, newer: Side) -> Knowledge:
    """Read it, if both releases are this workspace's."""
    if workspace is None or older.release is None or newer.release is None:
        return Knowledge()
    with reader(workspace.engine).begin() as connection:
        refused = refused_images(connection, workspace.settings.policy)
        placed = places(connection)
        left_out = {image_id for image_id, place in placed.items() if place.left_out}
        query = sa.select(Review.fixed_mask_id, Review.reviewer).where(
            Review.fixed_mask_id.is_not(None)
        )
        return Knowledge(
            votes=votes(connection),
            drawn_by={
                row.fixed_mask_id: row.reviewer
                for row in connection.execute(query)
                if row.fixed_mask_id is not None
            },
            standing=standings(connection, MinSource.ANY),
            forgotten=_forgotten(connection, older.release.id),
            void=_void(connection),
            refused=_photos(connection, set(refused)),
            left_out=_photos(connection, left_out),
        )


def came(entry: Entry, known: Knowledge) -> Cause:
    """Why a mask is in a release."""
    if entry.negative:
        return Cause(why=Why.CONFIRM, by=entry.producer)
    if entry.certificate is not None:
        return Cause(why=Why.CERTIFICATE, by=f"certificate {entry.certificate.number}")
    if entry.trust is Trust.IMPORTED:
        return Cause(why=Why.IMPORT, by="")
    if entry.trust is Trust.FIXED:
        return Cause(why=Why.REVIEW, by=known.drawn_by.get(entry.mask_id or 0, ""))
    people = _said(known.votes.get(entry.mask_id or 0, []), Decision.ACCEPT)
    if entry.mask_source is MaskSource.STUDENT:
        accepted = f", accepted by {people}" if people else ""
        return Cause(why=Why.RELABEL, by=f"{entry.producer}{accepted}")
    return Cause(why=Why.REVIEW, by=people)


def left(entry: Entry, known: Knowledge) -> Cause:
    """Why a member of the older release is not in the newer."""
    if entry.name in known.forgotten:
        return Cause(why=Why.FORGET, by="")
    if entry.photo_sha256 in known.refused:
        return Cause(why=Why.POLICY, by="")
    if entry.photo_sha256 in known.left_out:
        return Cause(why=Why.NEAR_DUPLICATE, by="")
    said = _said(known.votes.get(entry.mask_id or 0, []), Decision.REJECT)
    standing = known.standing.get(entry.portrait_id or 0)
    if said or (standing is not None and standing.rejected):
        return Cause(why=Why.REVIEW, by=said)
    if entry.mask_id is not None and entry.mask_id in known.void:
        return Cause(why=Why.CERTIFICATE, by=f"certificate {known.void[entry.mask_id]}")
    if standing is not None and standing.trusted is None and standing.looked_at:
        return Cause(why=Why.REVIEW, by="")
    return Cause(why=Why.UNKNOWN, by="")


def _said(of_mask: Collection[Vote], decision: Decision) -> str:
    names = {vote.reviewer for vote in of_mask if vote.decision is decision and not vote.is_rule}
    return ", ".join(sorted(names))


def _forgotten(connection: Connection, release_id: int) -> set[str]:
    query = sa.select(ReleaseItem.name).where(
        ReleaseItem.release_id == release_id, ReleaseItem.forgotten_id.is_not(None)
    )
    return set(connection.scalars(query))


def _void(connection: Connection) -> dict[int, int]:
    return {
        mask_id: attempt.number
        for attempt in ledger.attempts(connection)
        if attempt.state is AttemptState.VOID
        for mask_id in ledger.items(connection, attempt)
    }


def _photos(connection: Connection, image_ids: Collection[int]) -> set[str]:
    """SHA-256s of photos."""
    found: set[str] = set()
    for ids in chunks(sorted(image_ids)):
        found.update(connection.scalars(sa.select(Image.sha256).where(Image.id.in_(ids))))
    return found
