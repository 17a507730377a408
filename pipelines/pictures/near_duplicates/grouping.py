"""Groups of near-duplicates: the rule, as a pure function of images that are all in memory.

- Images are linked when they are verified (`verify.likeness`): strongly from 0.95, weakly from
  0.90, and weakly where a descriptor is missing and the hashes are at most 2 bits apart.
- Strong links join, also through others: what is a copy of a copy is the same photo.
- A weak link joins two clusters only if every cluster's first image is linked, weakly at least,
  with the first image of every other cluster that would come into the group (`edges.join`).

A group is called by its first image's id. New images may join groups, and make two groups one; they
never take a group apart that strong links hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipelines.pictures.near_duplicates.crowds import digest, first_equal, resolve_crowds
from pipelines.pictures.near_duplicates.edges import Edges, join
from pipelines.pictures.near_duplicates.links import find_edges
from pipelines.pictures.near_duplicates.verify import Features, likeness


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

    @property
    def digest(self) -> int:
        """Equal for images that are equal in everything but their id."""
        return digest(self.phash, self.phash_mirror, self.descriptor)


def features_of(images: Sequence[Fingerprint]) -> Features:
    """What they are compared by, in their order."""
    return Features.of(
        [(image.phash, image.phash_mirror) for image in images],
        [image.descriptor for image in images],
    )


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
    equal = first_equal(np.array([image.digest for image in ordered], np.uint64))
    different, row = np.unique(equal, return_inverse=True)
    features = features_of([ordered[each] for each in different])
    crowds = resolve_crowds(features)
    edges = Edges.together([crowds.edges, find_edges(features, crowds.searched)])
    groups = join(len(different), edges, partial(likeness, features))
    ids = [ordered[each].image_id for each in different[groups]]
    return {image.image_id: ids[each] for image, each in zip(ordered, row, strict=True)}
