"""All portraits as rows of a page: what they can be filtered by, and where their pictures are."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    Image,
    Mask,
    Portrait,
    Release,
    ReleaseItem,
    Review,
    ReviewRequest,
    Source,
    Trust,
    chunks,
)
from pipelines.certify import attempts as ledger
from pipelines.certify.attempts import Attempt
from pipelines.doubt.scoring import current_score, doubts
from pipelines.doubt.slices import Slice
from pipelines.pictures.traits import described
from pipelines.portraits.decisions import by_people
from pipelines.portraits.latest import latest_masks
from pipelines.portraits.standing import Standing
from pipelines.workspace.uris import uri_path

EARLIER: Final = "an earlier mask is trusted"
REJECTED: Final = "rejected by people"
UNDECIDED: Final = "people have not agreed"
UNSEEN: Final = "nobody has decided"
LAPSED: Final = "its certificate no longer holds"
NO_MASK: Final = "no mask yet"
TRUSTED: Final = frozenset(map(str, Trust))
"""Words for the shown mask that mean trust: all others mean that there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PortraitRow:
    """A portrait with its latest mask; what concerns the mask is None or empty without one.

    Attributes:
        portrait_id: its id.
        image_id: of its photo.
        group_id: of the photo's near-duplicates; None: not grouped yet.
        mask_id: of the latest mask.
        size: width and height of the crop, in pixels.
        blob: store key of the crop.
        mask_blob: of the mask.
        probability_blob: of the probability it was made from.
        verdict: of the automatic checks.
        source: who made the mask.
        reasons: of the verdict.
        standing: whether this mask is trusted and why (`Trust`), or why not.
        doubt: by the latest score, in [0, 1]; or, where there is none at all, 1 − the network's own
            confidence; None: not known.
        reviewers: who decided about one of its masks.
        rounds: whose frozen sets hold it.
        slices: it is in, in words.
    """

    portrait_id: int
    image_id: int
    group_id: int | None
    mask_id: int | None
    size: tuple[int, int]
    blob: str
    mask_blob: str | None
    probability_blob: str | None
    verdict: str | None
    source: str | None
    reasons: tuple[str, ...]
    standing: str
    doubt: float | None
    reviewers: tuple[str, ...]
    rounds: tuple[str, ...]
    slices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PortraitRows:
    """All portraits, by id.

    Attributes:
        rows: one each.
        by_score: doubts are of a score; else of the networks' own confidence.
    """

    rows: list[PortraitRow]
    by_score: bool


def portrait_rows(
    connection: Connection,
    standing: Mapping[int, Standing],
    slices: Sequence[Slice],
    lapsed: Collection[int],
) -> PortraitRows:
    """Everything that a page knows of each portrait.

    Args:
        connection: in a transaction.
        standing: of all portraits with a mask.
        slices: of all portraits.
        lapsed: masks of certificates that hold no longer.
    """
    doubt = doubts(connection)
    confidence = sa.null() if doubt else Mask.scores
    reviewers = _reviewers(connection)
    rounds = _rounds(connection)
    inside = _slices(slices)
    query = (
        sa.select(
            Portrait.id,
            Portrait.image_id,
            Image.group_id,
            Portrait.width,
            Portrait.height,
            Portrait.blob,
            Mask.id.label("mask_id"),
            Mask.blob.label("mask_blob"),
            Mask.probability_blob,
            Mask.verdict,
            Mask.source,
            Mask.reasons,
            confidence.label("scores"),
        )
        .join(Image, Image.id == Portrait.image_id)
        .outerjoin(Mask, sa.and_(Mask.portrait_id == Portrait.id, latest_masks()))
        .order_by(Portrait.id)
    )
    rows = [
        PortraitRow(
            portrait_id=row.id,
            image_id=row.image_id,
            group_id=row.group_id,
            mask_id=row.mask_id,
            size=(row.width, row.height),
            blob=row.blob,
            mask_blob=row.mask_blob,
            probability_blob=row.probability_blob,
            verdict=row.verdict and str(row.verdict),
            source=row.source and str(row.source),
            reasons=tuple(row.reasons or ()),
            standing=_standing(row.mask_id, standing.get(row.id), lapsed),
            doubt=doubt.get(row.mask_id) if doubt else _unsure(row.scores),
            reviewers=reviewers.get(row.id, ()),
            rounds=rounds.get(row.id, ()),
            slices=inside.get(row.id, ()),
        )
        for row in connection.execute(query.execution_options(yield_per=1000))
    ]
    return PortraitRows(rows=rows, by_score=bool(doubt))


def lapsed_attempts(connection: Connection) -> list[tuple[Attempt, str]]:
    """Certificates that hold no longer, each with the reason."""
    score = current_score(connection)
    return [] if score is None else ledger.changed(connection, score.id)


def lapsed_masks(connection: Connection, lapsed: Iterable[tuple[Attempt, str]]) -> set[int]:
    """The masks that such certificates accepted."""
    return {mask_id for attempt, _ in lapsed for mask_id in ledger.items(connection, attempt)}


def photo_names(connection: Connection, image_ids: Iterable[int]) -> dict[int, str]:
    """Name of each photo's first file, without its folder: a page may be passed on."""
    found: dict[int, str] = {}
    for ids in chunks(sorted(set(image_ids))):
        query = sa.select(Source.image_id, Source.uri).where(Source.image_id.in_(ids))
        for row in connection.execute(query.order_by(Source.id)):
            found.setdefault(row.image_id, PurePath(uri_path(row.uri)).name)
    return found


def _standing(mask_id: int | None, found: Standing | None, lapsed: Collection[int]) -> str:
    """In words, of the mask that is shown: trust in an earlier one is not trust in this one."""
    if mask_id is None or found is None:
        return NO_MASK
    trusted = found.trusted
    if trusted is not None and trusted.trust is Trust.CERTIFIED and trusted.mask_id in lapsed:
        return LAPSED
    if trusted is not None and trusted.mask_id == mask_id:
        return str(trusted.trust)
    if found.rejected:
        return REJECTED
    if trusted is not None:
        return EARLIER
    return UNDECIDED if found.looked_at else UNSEEN


def _unsure(scores: Mapping[str, float] | None) -> float | None:
    confidence = (scores or {}).get("confidence")
    return None if confidence is None else 1 - confidence


def _reviewers(connection: Connection) -> dict[int, tuple[str, ...]]:
    query = (
        sa.select(Mask.portrait_id, Review.reviewer)
        .join(Review, Review.mask_id == Mask.id)
        .outerjoin(ReviewRequest, ReviewRequest.id == Review.request_id)
        .where(Review.withdrawn_at.is_(None), by_people())
        .distinct()
        .order_by(Mask.portrait_id, Review.reviewer)
    )
    return _together((row.portrait_id, row.reviewer) for row in connection.execute(query))


def _rounds(connection: Connection) -> dict[int, tuple[str, ...]]:
    query = (
        sa.select(ReleaseItem.portrait_id, Release.round)
        .join(Release, Release.id == ReleaseItem.release_id)
        .where(
            Release.round.is_not(None),
            Release.sealed_at.is_not(None),
            ReleaseItem.portrait_id.is_not(None),
        )
        .order_by(Release.round)
    )
    return _together((row.portrait_id, f"round {row.round}") for row in connection.execute(query))


def _slices(slices: Sequence[Slice]) -> dict[int, tuple[str, ...]]:
    named = [(each, described(each.trait, each.low, each.high)) for each in slices]
    return _together((member, name) for each, name in named for member in each.portraits)


def _together(pairs: Iterable[tuple[int | None, str]]) -> dict[int, tuple[str, ...]]:
    """Names by portrait; portraits with the same names share one tuple."""
    found: dict[int, list[str]] = defaultdict(list)
    for key, name in pairs:
        if key is not None:
            found[key].append(name)
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    return {key: shared.setdefault(each := tuple(names), each) for key, names in found.items()}
