"""Data sets in shards, as `export --format webdataset` writes them.

A shard is a tar archive called `SPLIT-NNNNNN.tar`; a sample is the members that share a name up to
its first dot: a picture (`NAME.jpg`) and its mask (`NAME.mask.png`).
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from sinet.errors import DataError
from sinet.files.members import Member, members
from sinet.files.pairing import PICTURE_SUFFIXES

_SHARD: Final = re.compile(r"(?P<split>.+)-\d+\.tar")
_MASK: Final = "mask"


def shards(folder: Path, split: str | None = None) -> list[Path]:
    """List the shards of a split, or of all, by name; none: the data set has another layout."""
    named = ((_SHARD.fullmatch(file.name), file) for file in sorted(folder.glob("*.tar")))
    return [file for match, file in named if match and split in (None, match["split"])]


def pairs_of_shards(files: Iterable[Path]) -> Iterator[tuple[str, Member, Member]]:
    """List the samples of shards, in their order: name, picture and mask.

    Raises:
        DataError: a shard cannot be read, a picture has no mask, or a name comes twice.
    """
    seen: set[str] = set()
    for file in files:
        parts: dict[str, dict[str, Member]] = {}
        for member in members(file):
            # Without its folder: a name is that of files in a run's folder, too.
            name, _, suffixes = PurePosixPath(member.name).name.partition(".")
            kind, _, suffix = suffixes.rpartition(".")
            if name and f".{suffix.lower()}" in PICTURE_SUFFIXES and kind in ("", _MASK):
                if kind in parts.setdefault(name, {}) or name in seen:
                    raise DataError(f"{member}: {name} comes twice in these shards.")
                parts[name][kind] = member
        for name, found in parts.items():
            if len(found) < 2:
                what = _MASK if "" in found else "picture"
                raise DataError(f"{file}: {name} has no {what}: {name}.jpg, {name}.mask.png.")
            yield name, found[""], found[_MASK]
        seen.update(parts)
