"""Groups of near-duplicates: the rule, as a pure function, and the column that remembers them.

- Images are linked when they are verified (`verify.likeness`): strongly from 0.95, weakly from
  0.90, and weakly where a descriptor is missing and the hashes are at most 2 bits apart.
- Strong links join, also through others: what is a copy of a copy is the same photo.
- A weak link joins two clusters only if every cluster's first image is linked, weakly at least,
  with the first image of every other cluster that would come into the group. So no chain of photos,
  each a little like the one before, makes a group of strangers.

A group is called by its first image's id. New images may join groups, and make two groups one; they
never take a group apart that strong links hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image
from pipelines.pictures.near_duplicates.links import Links, find_links
from pipelines.pictures.near_duplicates.verify import WEAK, Features, likeness

# Clusters of a group times those of another: beyond it a weak link is left alone.
_MOST_COMPARISONS = 256
_UPDATES = 10_000


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an image is grouped by.

    Attributes:
        image_id: groups are called by the smallest one.
        phash: of `perceptual_hashes`.
        phash_mirror: likewise, of the mirror image.
        descriptor: of `descriptor`; None in rows of older versions.
    """

    image_id: int
    phash: int
    phash_mirror: int
    descriptor: bytes | None


def group(images: Sequence[Fingerprint]) -> dict[int, int]:
    """Group near-duplicates.

    The order of `images` does not matter. That of their ids does in two places: whose comparison
    decides over a weak link between clusters, and which images stand for a crowd of one hash.

    Args:
        images: with different ids.

    Returns:
        For each image id the smallest image id of its group, maybe its own.
    """
    ordered = sorted(images, key=lambda image: image.image_id)
    equal: dict[tuple[int, int, bytes | None], int] = {}
    rows = [
        equal.setdefault((image.phash, image.phash_mirror, image.descriptor), len(equal))
        for image in ordered
    ]
    features = Features.of([(key[0], key[1]) for key in equal], [key[2] for key in equal])
    first = join_weakly(find_links(features))
    ids: dict[int, int] = {}
    for image, row in zip(ordered, rows, strict=True):
        ids.setdefault(row, image.image_id)
    return {image.image_id: ids[first[row]] for image, row in zip(ordered, rows, strict=True)}


def update_groups(connection: Connection) -> dict[int, int]:
    """Group all images that have been hashed, if any is new, and remember the groups.

    The caller's transaction stays open while it groups, some 20 seconds for 100,000 images: where
    others wait to write, call `changed_groups` and `save_groups` in transactions of their own.

    Args:
        connection: in a transaction that may write.

    Returns:
        As `changed_groups`.
    """
    changed = changed_groups(connection)
    save_groups(connection, changed)
    return changed


def changed_groups(connection: Connection) -> dict[int, int]:
    """Group all images that have been hashed, if any is new.

    Whether any is new is told by `group_id`: whoever removes an image or changes its hashes sets it
    to null in that row, or in the rows of its group.

    Args:
        connection: in a transaction; reading will do.

    Returns:
        The images whose group changed, with their new groups; new images included. Empty, at once,
        if every hashed image has a group.
    """
    hashed = Image.phash.is_not(None) & Image.phash_mirror.is_not(None)
    new = sa.select(Image.id).where(hashed, Image.group_id.is_(None)).limit(1)
    if connection.scalar(new) is None:
        return {}
    columns = (Image.id, Image.phash, Image.phash_mirror, Image.descriptor, Image.group_id)
    before: dict[int, int | None] = {}
    images = []
    for row in connection.execute(sa.select(*columns).where(hashed)):
        before[row.id] = row.group_id
        images.append(Fingerprint(row.id, row.phash, row.phash_mirror, row.descriptor))
    return {image: first for image, first in group(images).items() if before[image] != first}


def save_groups(connection: Connection, groups: dict[int, int]) -> None:
    """Write the groups of images, by image id."""
    update = sa.update(Image).where(Image.id == sa.bindparam("image"))
    update = update.values(group_id=sa.bindparam("first"))
    values = [{"image": image, "first": first} for image, first in groups.items()]
    for start in range(0, len(values), _UPDATES):
        connection.execute(update, values[start : start + _UPDATES])


def join_weakly(links: Links) -> list[int]:
    """Apply the rule of weak links.

    Args:
        links: between N rows.

    Returns:
        For each row the first row of its group.
    """
    _, firsts, inverse = np.unique(links.clusters, return_index=True, return_inverse=True)
    # Groups by their first row; a cluster is stood for by its first row.
    groups = {first: [first] for first in firsts.tolist()}
    group_of = {first: first for first in groups}
    ends = np.sort(firsts[inverse[links.weak]], axis=1)
    strongest_first = np.lexsort((ends[:, 1], ends[:, 0], -links.likeness))
    for a, b in dict.fromkeys(map(tuple, ends[strongest_first].tolist())):
        one, other = sorted((group_of[a], group_of[b]))
        if one == other or not _all_linked(links, groups[one], groups[other]):
            continue
        groups[one] += groups.pop(other)
        group_of.update(dict.fromkeys(groups[one], one))
    return [group_of[first] for first in firsts[inverse].tolist()]


def _all_linked(links: Links, some: Sequence[int], others: Sequence[int]) -> bool:
    if len(some) * len(others) > _MOST_COMPARISONS:
        return False
    pairs = np.array([(a, b) for a in some for b in others])
    return bool((likeness(links.features, pairs) >= WEAK).all())
