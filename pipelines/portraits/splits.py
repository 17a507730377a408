"""What every photo is used for: decided once for a group of near-duplicates, by hash, for ever.

The groups are found anew as photos come, the splits are only ever added to. Where a new photo shows
that two groups are one, the stricter split wins (test before val before train), and the members of
the other are left out of later releases: they may be near-copies of what is measured on.
"""

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Base, Image, Negative, Outcome, Split, chunks
from pipelines.workspace.settings import ReleaseSettings
from pipelines.workspace.workspace import Workspace

_images = Base.metadata.tables["image"]
_STRICTEST_FIRST = (Split.TEST, Split.VAL, Split.TRAIN)


@dataclass(frozen=True, slots=True)
class Placed:
    """A photo's place.

    Attributes:
        group_id: of its near-duplicates.
        split: what it is used for.
        left_out: it must not be released: its group is used for something stricter.
    """

    group_id: int
    split: Split
    left_out: bool


def assign_splits(workspace: Workspace) -> None:
    """Group all photos, and decide the split of portraits' photos and negatives that have none."""
    from pipelines.portraits.near_groups import changed_groups, save_groups
    from pipelines.portraits.near_pairs import compare_pairs, near_shelf

    # Finding groups takes a while: meanwhile others may write.
    shelf, compare = near_shelf(workspace), partial(compare_pairs, workspace)
    changed = changed_groups(workspace.engine, shelf, compare)
    with workspace.engine.begin() as connection:
        save_groups(connection, changed)
        _assign(connection, workspace.settings.release)


def _assign(connection: Connection, settings: ReleaseSettings) -> None:
    """Photos that came while the groups were found have none, and wait for the next time."""
    used = sa.or_(Image.outcome == Outcome.PORTRAITS, Image.id.in_(sa.select(Negative.image_id)))
    waiting = sa.select(Image.group_id).where(
        used, Image.split.is_(None), Image.group_id.is_not(None)
    )
    # All before the first is written: a cursor over what is being changed may skip or repeat rows.
    groups = array("q", connection.scalars(waiting.distinct().order_by(Image.group_id)))
    update = sa.update(_images).where(_images.c.id == sa.bindparam("of"))
    update = update.values(split=sa.bindparam("new"))
    for piece in chunks(groups):
        members: dict[int, list[tuple[int, str, Split | None]]] = defaultdict(list)
        query = sa.select(Image.id, Image.group_id, Image.sha256, Image.split)
        query = query.where(used, Image.group_id.in_(piece)).order_by(Image.id)
        for image_id, group_id, sha256, split in connection.execute(query):
            assert group_id is not None  # by the query
            members[group_id].append((image_id, sha256, split))
        new = []
        for group in members.values():
            split = _strictest([split for _, _, split in group if split]) or split_of(
                min(sha256 for _, sha256, _ in group), settings
            )
            undecided = [image_id for image_id, _, decided in group if decided is None]
            new += [{"of": image_id, "new": split} for image_id in undecided]
        connection.execute(update, new)


def split_of(sha256: str, settings: ReleaseSettings) -> Split:
    """Return the split that a group falls to by the hash of its first photo.

    Args:
        sha256: of the photo's bytes, the smallest of the group.
        settings: the shares of val and test.
    """
    digest = hashlib.sha256(f"split:{sha256}".encode()).digest()
    position = int.from_bytes(digest[:8]) / 2**64
    if position < settings.test_share:
        return Split.TEST
    return Split.VAL if position < settings.test_share + settings.val_share else Split.TRAIN


def places(connection: Connection, image_ids: Sequence[int] | None = None) -> dict[int, Placed]:
    """Where every photo that is used stands, by image id; `assign_splits` must have run.

    Args:
        connection: in a transaction.
        image_ids: only these, a few hundred at most; default all.
    """
    has_split = Image.split.is_not(None)
    # Without a group, as long as none was looked for, a photo's group is called like the photo.
    group: sa.ColumnElement[int] = sa.func.coalesce(Image.group_id, Image.id)
    query = sa.select(Image.id, group, Image.split).where(has_split)
    of_groups = sa.select(group, Image.split).where(has_split).distinct()
    if image_ids is not None:
        query = query.where(Image.id.in_(image_ids))
    rows = [(each, of, split) for each, of, split in connection.execute(query) if split]
    if image_ids is not None:
        groups = sorted({group_id for _, group_id, _ in rows})
        of_groups = of_groups.where(
            Image.group_id.in_(groups) | (Image.group_id.is_(None) & Image.id.in_(groups))
        )
    splits: dict[int, list[Split]] = defaultdict(list)
    for group_id, split in connection.execute(of_groups):
        assert split is not None  # by the query
        splits[group_id].append(split)
    return {
        image_id: Placed(group_id, split, split is not _strictest(splits[group_id]))
        for image_id, group_id, split in rows
    }


def _strictest(splits: Sequence[Split]) -> Split | None:
    return next((split for split in _STRICTEST_FIRST if split in splits), None)
