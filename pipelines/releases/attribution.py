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


class OriginCounts:
    """What a card says of where portraits come from, counted one by one.

    Attributes:
        licences: portraits by licence, of those of which anything is known.
        unknown: portraits of which nothing is.
    """

    def __init__(self) -> None:
        self.licences: Counter[str] = Counter()
        self.unknown = 0

    def add(self, origin: Origin | None) -> None:
        """Count a portrait."""
        if origin is None or not origin.is_known:
            self.unknown += 1
        else:
            self.licences[_licence(origin)] += 1

    def text(self) -> str:
        """A sentence."""
        known = self.licences.total()
        return (
            f"Of {self.unknown:,} of {self.unknown + known:,} portraits nothing says where they "
            f"come from; for the other {known:,} {ATTRIBUTION_FILE} names source, author and "
            "licence as they were found. Nobody has verified them."
        )


def _licence(origin: Origin) -> str:
    return origin.licence or (
        f"stated: {origin.licence_stated}" if origin.licence_stated else "not stated"
    )
