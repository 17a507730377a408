"""What changed between two releases: members, masks, splits, and the student's scores."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.pages.reasons import Knowledge, Why, came, left
from pipelines.pages.sides import Side
from pipelines.pages.worst import read_scores
from pipelines.releases.entry import Entry
from pipelines.workspace.errors import WorkspaceError
from sinet.errors import PictureError
from sinet.pictures.decode import decode_grey
from sinet.pictures.threshold import is_person

Read = Callable[[str], bytes]
"""Bytes of a blob by its key; raises `WorkspaceError` or `OSError`."""


class What(StrEnum):
    """What became of a member."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"  # it has another mask


@dataclass(frozen=True, kw_only=True)
class Change:
    """A member that is not the same in both.

    Attributes:
        name: of its files.
        what: became of it.
        split: in the newer release, or where it was.
        pixels: that are the person in one mask only; None: it has one mask, or none can be read.
        iou: of both masks, in [0, 1]; likewise.
        why: it changed.
        by: whom: reviewers, a network, a certificate; empty: nothing here tells.
    """

    name: str
    what: What
    split: str
    pixels: int | None
    iou: float | None
    why: Why
    by: str


@dataclass(frozen=True, kw_only=True)
class SplitChange:
    """A photo that is used for something else: there must be none."""

    photo_sha256: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class StudentChange:
    """Mean native IoU of students on their releases' test splits; four causes add up to its change.

    Attributes:
        before: of the older release's student, in [0, 1].
        after: of the newer's.
        change: after − before.
        same: by what the students make of the pictures that both test, with the same mask.
        changed_masks: by what they make of pictures whose mask has changed.
        added: by pictures that are new in the test split.
        removed: by pictures that have left it.
        compared: pictures that both test.
    """

    before: float
    after: float
    change: float
    same: float
    changed_masks: float
    added: float
    removed: float
    compared: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Between an older release, `before`, and a newer one, `after`.

    Attributes:
        before: name of the one.
        after: name of the other.
        added: members that only the newer one has.
        removed: members that only the older one has.
        changed: members with another mask.
        same: members with the same mask.
        reasons: changes by why.
        split_changes: must be empty.
        changes: each, the most changed first.
        student: how the scores changed; None: not both have a measured student.
    """

    before: str
    after: str
    added: int
    removed: int
    changed: int
    same: int
    reasons: dict[str, int]
    split_changes: list[SplitChange]
    changes: list[Change]
    student: StudentChange | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        inner = ("split_changes", "changes")
        lists = {name: [vars(each) for each in getattr(self, name)] for name in inner}
        return vars(self) | lists | {"student": self.student and vars(self.student)}


def difference(older: Side, newer: Side, known: Knowledge, read: Read) -> Difference:
    """Compare two releases.

    Args:
        older: the one.
        newer: the other.
        known: what a workspace knows of both.
        read: masks, by their blobs' keys.
    """
    changes = sorted(
        _changes(older.entries, newer.entries, known, read),
        key=lambda each: (each.what != What.CHANGED, -(each.pixels or 0), each.what, each.name),
    )
    counts = Counter(each.what for each in changes)
    return Difference(
        before=older.name,
        after=newer.name,
        added=counts[What.ADDED],
        removed=counts[What.REMOVED],
        changed=counts[What.CHANGED],
        same=len(newer.entries) - counts[What.ADDED] - counts[What.CHANGED],
        reasons=dict(Counter(str(each.why) for each in changes).most_common()),
        split_changes=_split_changes(older.entries, newer.entries),
        changes=changes,
        student=_student(older, newer),
    )


def _changes(
    older: dict[str, Entry], newer: dict[str, Entry], known: Knowledge, read: Read
) -> Iterator[Change]:
    for name, entry in newer.items():
        before = older.get(name)
        if before is not None and before.mask_sha256 == entry.mask_sha256:
            continue
        cause = came(entry, known)
        pixels, iou = (None, None) if before is None else _compared(before, entry, read)
        yield Change(
            name=name,
            what=What.ADDED if before is None else What.CHANGED,
            split=str(entry.split),
            pixels=pixels,
            iou=iou,
            why=cause.why,
            by=cause.by,
        )
    for name, entry in older.items():
        if name not in newer:
            cause = left(entry, known)
            yield Change(
                name=name,
                what=What.REMOVED,
                split=str(entry.split),
                pixels=None,
                iou=None,
                why=cause.why,
                by=cause.by,
            )


def _compared(before: Entry, after: Entry, read: Read) -> tuple[int | None, float | None]:
    """Pixels that only one mask covers, and the IoU; None where the masks cannot be compared."""
    try:
        one, other = (is_person(decode_grey(read(each.mask_blob))) for each in (before, after))
    except (WorkspaceError, PictureError, OSError):
        return None, None
    if one.shape != other.shape:
        return None, None
    union = int(np.count_nonzero(one | other))
    return int(np.count_nonzero(one ^ other)), (
        int(np.count_nonzero(one & other)) / union if union else 1.0
    )


def _split_changes(older: dict[str, Entry], newer: dict[str, Entry]) -> list[SplitChange]:
    """Photos, whose portraits share a split."""
    before = {entry.photo_sha256: entry.split for entry in older.values()}
    after = {entry.photo_sha256: entry.split for entry in newer.values()}
    return [
        SplitChange(photo_sha256=photo, before=str(before[photo]), after=str(after[photo]))
        for photo in sorted(before.keys() & after.keys())
        if before[photo] is not after[photo]
    ]


def _student(older: Side, newer: Side) -> StudentChange | None:
    one, other = (_own_scores(each.run) for each in (older, newer))
    both = one.keys() & other.keys()
    if not both:
        return None
    before, after = _mean(one.values()), _mean(other.values())
    same = {
        name
        for name in both
        if name in older.entries
        and name in newer.entries
        and older.entries[name].mask_sha256 == newer.entries[name].mask_sha256
    }
    gained = {name: other[name] - one[name] for name in both}
    return StudentChange(
        before=before,
        after=after,
        change=after - before,
        same=sum(gained[name] for name in same) / len(both),
        changed_masks=sum(gained[name] for name in both - same) / len(both),
        added=after - _mean(other[name] for name in both),
        removed=_mean(one[name] for name in both) - before,
        compared=len(both),
    )


def _own_scores(run: Path | None) -> dict[str, float]:
    return {} if run is None else {name: own for name, (_, own) in read_scores(run).items()}


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(sum(found) / len(found))
