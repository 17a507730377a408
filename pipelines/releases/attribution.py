"""ATTRIBUTION.csv: whom to name for which portrait, and under which licence it was found."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipelines.origins.origin import Origin
from pipelines.releases.entry import Entry
from sinet.escaping import csv_cell

ATTRIBUTION_FILE = "ATTRIBUTION.csv"
_COLUMNS = ("url", "page", "author", "licence", "licence_stated")


def write_attribution(folder: Path, entries: Sequence[Entry]) -> None:
    """Write a row for every portrait of which anything says where it came from.

    Args:
        folder: of the release.
        entries: its members.
    """
    with (folder / ATTRIBUTION_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "split", *_COLUMNS))
        for entry in entries:
            if entry.origin is not None and entry.origin.is_known:
                values = (csv_cell(getattr(entry.origin, name) or "") for name in _COLUMNS)
                writer.writerow((entry.name, str(entry.split), *values))


def about_origins(entries: Sequence[Entry]) -> tuple[str, Counter[str]]:
    """What a card says of where portraits come from: a sentence, and their number by licence."""
    known = [each.origin for each in entries if each.origin is not None and each.origin.is_known]
    unknown = len(entries) - len(known)
    text = (
        f"Of {unknown:,} of {len(entries):,} portraits nothing says where they come from; for the "
        f"other {len(known):,} {ATTRIBUTION_FILE} names source, author and licence as they were "
        "found. Nobody has verified them."
    )
    return text, Counter(_licence(each) for each in known)


def _licence(origin: Origin) -> str:
    return origin.licence or (
        f"stated: {origin.licence_stated}" if origin.licence_stated else "not stated"
    )
