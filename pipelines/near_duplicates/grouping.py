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
from pipelines.near_duplicates.links import Links, find_links
from pipelines.near_duplicates.verify import WEAK, Features, likeness

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
    first = _join_weakly(find_links(features))
    ids: dict[int, int] = {}
    for image, row in zip(ordered, rows, strict=True):
        ids.setdefault(row, image.image_id)
    return {image.image_id: ids[first[row]] for image, row in zip(ordered, rows, strict=True)}


def update_groups(connection: Connection) -> dict[int, int]:
    """Group all images that have been hashed, if any is new, and remember the groups.

    Does nothing if no hashed image lacks a group: whoever removes an image or changes its hashes
    sets `group_id` to null, in the rows of its group too if it was the first.

    Args:
        connection: in a transaction that may write.

    Returns:
        The images whose group changed, with their new groups; images new to the column included.
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
    after = group(images)
    changed = {image: first for image, first in after.items() if before[image] != first}
    update = sa.update(Image).where(Image.id == sa.bindparam("image"))
    update = update.values(group_id=sa.bindparam("first"))
    values = [{"image": image, "first": first} for image, first in changed.items()]
    for start in range(0, len(values), _UPDATES):
        connection.execute(update, values[start : start + _UPDATES])
    return changed


def _join_weakly(links: Links) -> list[int]:
    """Apply the rule of weak links; return the first row of each row's group."""
    _, firsts, inverse = np.unique(links.clusters, return_index=True, return_inverse=True)
    groups = {int(first): [int(first)] for first in firsts}
    """Representatives by the group's smallest one."""
    group_of = {int(first): int(first) for first in firsts}
    ends = np.sort(firsts[inverse[links.weak]], axis=1)
    order = np.lexsort((ends[:, 1], ends[:, 0], -links.likeness))
    for a, b in dict.fromkeys(map(tuple, ends[order].tolist())):
        one, other = sorted((group_of[a], group_of[b]))
        if one == other or not _all_linked(links.features, groups[one], groups[other]):
            continue
        groups[one] += groups.pop(other)
        group_of.update(dict.fromkeys(groups[one], one))
    return [group_of[int(first)] for first in firsts[inverse]]


def _all_linked(features: Features, some: Sequence[int], others: Sequence[int]) -> bool:
    if len(some) * len(others) > _MOST_COMPARISONS:
        return False
    pairs = np.array([(a, b) for a in some for b in others])
    return bool((likeness(features, pairs) >= WEAK).all())
