"""Output of img2dataset: which of its shards are finished.

It writes `00000.tar` (or a folder `00000`, or only a Parquet file), the table `00000.parquet`, and
at the end `00000_stats.json`. A shard that lacks one of them was cut off, or is being written.
"""

import re
from collections.abc import Iterable
from typing import Final

_SHARD: Final = re.compile(r"(\d+)(\.tar|\.parquet|_stats\.json|)")


def unfinished_shards(names: Iterable[str]) -> set[str]:
    """Names of tars and folders that are shards of img2dataset and lack something.

    Args:
        names: of everything in one folder.
    """
    kinds: dict[str, set[str]] = {}
    for name in names:
        if match := _SHARD.fullmatch(name):
            kinds.setdefault(match[1], set()).add(match[2])
    # Numbers alone are anybody's names: its tables and statistics tell its folders.
    its = {len(stem) for stem, found in kinds.items() if found & {".parquet", "_stats.json"}}
    return {
        stem + kind
        for stem, found in kinds.items()
        if len(stem) in its and not found >= {".parquet", "_stats.json"}
        for kind in found & {".tar", ""}
    }


def note_of_unfinished(number: int, first: str) -> str:
    """What is said of them."""
    return (
        f"{number:,} shards of img2dataset are not finished, first {first}: without their "
        "table and _stats.json they are left out; run this again when they are"
    )
