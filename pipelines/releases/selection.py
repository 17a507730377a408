"""The portraits that go into a release, and those that are missing from its test split."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, Portrait, Split, Trust
from pipelines.certify.certificates import Certified, certified
from pipelines.certify.findings import Findings
from pipelines.origins.origin import Origin, merged
from pipelines.origins.rows import origins_of, refused_images
from pipelines.pictures.geometry import Face
from pipelines.portraits.splits import Placed, places
from pipelines.portraits.standing import (
    ALLOWED,
    BY_A_PERSON,
    MinSource,
    Standing,
    TrustedMask,
    standings,
)
from pipelines.releases.entry import Entry
from pipelines.releases.negatives import negative_entries
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.settings import PolicySettings


@dataclass(frozen=True, slots=True)
class CoverageOfTest:
    """What became of the portraits that fall to `test`.

    A test set without the masks that people rejected is easier than the crawl; without those that
    nobody looked at it may be anything.

    Attributes:
        portraits: that fall to it, of photos that are not left out.
        released: of them.
        rejected: missing: people rejected the mask and nobody has drawn another.
        unseen: missing: no person has decided about them.
        undecided: missing: people disagree, or withdrew what they had said.
    """

    portraits: int
    released: int
    rejected: int
    unseen: int
    undecided: int

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is released.

    Attributes:
        entries: in the order of their names.
        test: what became of the portraits that fall to `test`.
        left_out: trusted portraits whose photo is a near-duplicate of one in a stricter split.
        untrusted: portraits without a trusted mask.
        refused: portraits whose photo the policy refuses, whatever their masks are.
        findings: what stands beside each certificate that holds, by number.
    """

    entries: list[Entry]
    test: CoverageOfTest
    left_out: int
    untrusted: int
    refused: int
    findings: Mapping[int, Findings | None]


def select(
    connection: Connection,
    min_source: MinSource,
    policy: PolicySettings,
    *,
    negatives: bool = False,
) -> Selection:
    """Choose the latest trusted mask of every portrait; `assign_splits` must have run.

    Args:
        connection: in a transaction.
        min_source: the least a mask needs.
        negatives: also photos that nobody is in, by a person or, if that is enough, an audit.
        policy: which photos may be used: judged now, by what is known of where they came from.
    """
    placed = places(connection)
    origins = origins_of(connection)
    refused_photos = refused_images(connection, policy, origins)
    found = standings(connection, min_source)
    photos = connection.execute(sa.select(Portrait.id, Portrait.image_id))
    image_of = {row.id: row.image_id for row in photos}
    chosen: dict[int, tuple[TrustedMask, Placed]] = {}
    test: Counter[str] = Counter()
    left_out = untrusted = refused = 0
    for portrait_id, image_id in image_of.items():
        place, standing = placed.get(image_id), found.get(portrait_id)
        if place is None or standing is None:
            continue
        if image_id in refused_photos:
            refused += 1
            continue
        if place.left_out:
            left_out += standing.trusted is not None
            continue
        mask = _releasable(standing, place)
        if place.split is Split.TEST:
            test[_fate(standing, mask)] += 1
        if mask is None:
            untrusted += 1
        else:
            chosen[mask.mask_id] = (mask, place)
    proofs = certified(connection)
    members = _entries(connection, chosen, proofs, origins)
    if negatives:
        by_audit = Trust.CERTIFIED in ALLOWED[min_source]
        members += negative_entries(connection, placed, refused_photos, origins, by_audit=by_audit)
    return Selection(
        sorted(members, key=lambda entry: entry.name),
        CoverageOfTest(
            portraits=test.total(),
            released=test["released"],
            rejected=test["rejected"],
            unseen=test["unseen"],
            undecided=test["undecided"],
        ),
        left_out,
        untrusted,
        refused,
        proofs.findings,
    )


def require_entries(selection: Selection) -> None:
    """Refuse to release nothing.

    Raises:
        PipelineError: there is no trusted portrait; says which command brings some.
    """
    if any(not entry.negative for entry in selection.entries):
        return
    if selection.refused and not selection.untrusted:
        raise PipelineError(
            f"the policy refuses all {selection.refused:,} portraits; `dataengine explain` says "
            "where a photo came from, `[policy]` in the settings what may be used"
        )
    if selection.untrusted + selection.left_out == 0:
        raise PipelineError("there are no portraits yet; bring photos with `dataengine ingest`")
    raise PipelineError(
        f"none of {selection.untrusted:,} portraits has a trusted mask; let people decide with "
        "`dataengine review push` and `review pull`, or bring masks with `ingest --masks`"
    )


def _releasable(standing: Standing, place: Placed) -> TrustedMask | None:
    mask = standing.trusted
    if mask is not None and place.split is Split.TEST and mask.trust not in BY_A_PERSON:
        return None
    return mask


def _fate(standing: Standing, mask: TrustedMask | None) -> str:
    if mask is not None:
        return "released"
    if standing.rejected:
        return "rejected"
    looked = standing.looked_at and (
        standing.trusted is None or standing.trusted.trust is not Trust.CERTIFIED
    )
    return "undecided" if looked else "unseen"


def _entries(
    connection: Connection,
    chosen: Mapping[int, tuple[TrustedMask, Placed]],
    proofs: Certified,
    origins: Mapping[int, list[Origin]],
) -> list[Entry]:
    query = (
        sa.select(
            Mask.id,
            Mask.portrait_id,
            Mask.revision,
            Mask.source,
            Mask.producer,
            Mask.blob.label("mask_blob"),
            Mask.verdict,
            Mask.reasons,
            Mask.scores,
            Portrait.ordinal,
            Portrait.blob,
            Portrait.width,
            Portrait.height,
            Portrait.face_box,
            Portrait.crop_box,
            Portrait.rotation,
            Portrait.image_id,
            Image.sha256,
        )
        .join(Portrait, Portrait.id == Mask.portrait_id)
        .join(Image, Image.id == Portrait.image_id)
    )
    rows = connection.execute(query.execution_options(yield_per=1000))
    return [
        _entry(row, *chosen[row.id], proofs, merged(origins.get(row.image_id, [])))
        for row in rows
        if row.id in chosen
    ]


def _entry(
    row: Any, mask: TrustedMask, place: Placed, proofs: Certified, origin: Origin | None
) -> Entry:
    x0, y0, x1, y1 = row.crop_box
    is_certified = mask.trust is Trust.CERTIFIED
    return Entry(
        name=f"{row.sha256[:16]}-{row.ordinal}",
        split=place.split,
        trust=mask.trust,
        portrait_id=row.portrait_id,
        mask_id=row.id,
        group_id=place.group_id,
        image_blob=row.blob,
        mask_blob=row.mask_blob,
        width=row.width,
        height=row.height,
        photo_sha256=row.sha256,
        crop_box=(x0, y0, x1, y1),
        face_height=Face(row.face_box, (), 1.0, row.rotation).height,
        rotation=row.rotation,
        mask_source=row.source,
        mask_revision=row.revision,
        producer=row.producer,
        verdict=str(row.verdict),
        reasons=tuple(row.reasons or ()),
        scores=row.scores or {},
        decided_at=mask.decided_at,
        certificate=proofs.by_mask.get(row.id) if is_certified else None,
        audited=is_certified and row.id in proofs.audited,
        origin=origin,
    )
