"""The portraits that go into a release, and those that are missing from its test split."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, Portrait, Split, Trust, chunks
from pipelines.certify.certificates import Certificate, certified
from pipelines.certify.findings import Findings
from pipelines.origins.origin import Origin, merged
from pipelines.origins.rows import origins_of, refusals
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
from pipelines.releases.kept import KeptEntries, Part, order_of
from pipelines.releases.negatives import negative_entries
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.settings import PolicySettings

_FATES: Final = ("released", "rejected", "unseen", "undecided")
"""What becomes of a portrait that falls to `test`: fields of `CoverageOfTest`."""


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
        entries: in the order of their names; read from the disk each time.
        people: how many of them are no negatives.
        test: what became of the portraits that fall to `test`.
        left_out: trusted portraits whose photo is a near-duplicate of one in a stricter split.
        untrusted: portraits without a trusted mask.
        refused: portraits whose photo the policy refuses, whatever their masks are.
        findings: what stands beside each certificate that holds, by number.
    """

    entries: Sequence[Entry]
    people: int
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
    folder: Path,
    negatives: bool = False,
) -> Selection:
    """Choose the latest trusted mask of every portrait; `assign_splits` must have run.

    In pieces: memory holds little more than the names, however many portraits there are.

    Args:
        connection: in a transaction.
        min_source: the least a mask needs.
        policy: which photos may be used: judged now, by what is known of where they came from.
        folder: on a disk where the entries are kept meanwhile, see `KeptEntries`.
        negatives: also photos that nobody is in, by a person or, if that is enough, an audit.
    """
    choosing = _Choosing(connection, min_source, policy)
    entries, names = KeptEntries(folder), []
    members: Iterable[Entry] = choosing.entries()
    if negatives:
        by_audit = Trust.CERTIFIED in ALLOWED[min_source]
        members = chain(members, negative_entries(connection, policy, by_audit=by_audit))
    people = 0
    for entry in members:
        entries.append(entry)
        names.append(entry.name)
        people += not entry.negative
    counts = choosing.counts
    test = {name: counts[name] for name in _FATES}
    return Selection(
        Part(entries, order_of(names)),
        people,
        CoverageOfTest(portraits=sum(test.values()), **test),
        counts["left out"],
        counts["untrusted"],
        counts["refused"],
        choosing.certified.findings,
    )


def require_entries(selection: Selection) -> None:
    """Refuse to release nothing.

    Raises:
        PipelineError: there is no trusted portrait; says which command brings some.
    """
    if selection.people:
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


class _Choosing:
    """The choice among portraits, piece by piece.

    Attributes:
        counts: of portraits that are not released, by why, and of those of `test`.
        certified: the certificates that hold.
    """

    def __init__(
        self, connection: Connection, min_source: MinSource, policy: PolicySettings
    ) -> None:
        self._connection = connection
        self._min_source = min_source
        self._policy = policy
        self.counts: Counter[str] = Counter()
        self.certified = certified(connection)

    def entries(self) -> Iterator[Entry]:
        """Portraits that are released."""
        query = sa.select(Portrait.id, Portrait.image_id).order_by(Portrait.id)
        rows = self._connection.execute(query.execution_options(yield_per=1000))
        for piece in chunks(rows):
            yield from self._of(piece)

    def _of(self, piece: Sequence[Any]) -> Iterator[Entry]:
        connection = self._connection
        photos = sorted({row.image_id for row in piece})
        placed, origins = places(connection, photos), origins_of(connection, photos)
        refused = refusals(photos, origins, self._policy)
        found = standings(connection, self._min_source, [row.id for row in piece])
        chosen: dict[int, tuple[TrustedMask, Placed]] = {}
        for portrait_id, image_id in piece:
            place, standing = placed.get(image_id), found.get(portrait_id)
            if place is None or standing is None:
                continue
            if image_id in refused:
                self.counts["refused"] += 1
            elif place.left_out:
                self.counts["left out"] += standing.trusted is not None
            else:
                mask = _releasable(standing, place)
                if place.split is Split.TEST:
                    self.counts[_fate(standing, mask)] += 1
                if mask is None:
                    self.counts["untrusted"] += 1
                else:
                    chosen[mask.mask_id] = (mask, place)
        proofs = self.certified.proofs(connection, list(chosen))
        for row in _rows(connection, list(chosen)):
            mask, place = chosen[row.id]
            proof = proofs.get(row.id) if mask.trust is Trust.CERTIFIED else None
            yield _entry(row, mask, place, proof, merged(origins.get(row.image_id, [])))


def _rows(connection: Connection, mask_ids: Sequence[int]) -> Sequence[Any]:
    """Masks with their portraits and photos, by ids of masks."""
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
        .where(Mask.id.in_(mask_ids))
    )
    return connection.execute(query).all()


def _entry(
    row: Any,
    mask: TrustedMask,
    place: Placed,
    proof: tuple[Certificate, bool] | None,
    origin: Origin | None,
) -> Entry:
    x0, y0, x1, y1 = row.crop_box
    certificate, audited = proof or (None, False)
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
        certificate=certificate,
        audited=audited,
        origin=origin,
    )
