"""A table of metadata by file name: `ingest --origin FILE`."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipelines.origins.origin import Origin
from pipelines.origins.said import origin_said
from pipelines.workspace.errors import ScanError
from pipelines.workspace.tables import (
    FILE_NAMES,
    TABLE_SUFFIXES,
    file_column,
    plain_name,
    table_rows,
)


@dataclass(frozen=True, kw_only=True)
class OriginTable:
    """Rows by the name of the file that they are about.

    Attributes:
        path: of the table.
        rows: by the name as it is written, NFC, with `/`.
        silent: names of rows that say nothing of where a file came from.
    """

    path: Path
    rows: Mapping[str, Origin]
    silent: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class OriginCounts:
    """How a table fitted what was offered.

    Attributes:
        matched: files with a row that says something.
        unmatched: files without one.
        unused: rows without a file.
    """

    matched: int = 0
    unmatched: int = 0
    unused: int = 0


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Origins by the name of the offered file, and how that went."""

    origins: Mapping[str, Origin]
    counts: OriginCounts = field(default_factory=OriginCounts)


def read_table(path: Path) -> OriginTable:
    """Read a CSV, TSV, Parquet or JSON-lines table.

    Raises:
        ScanError: it cannot be read, has no column of file names, or two rows of one file differ.
    """
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise ScanError(f"{path}: no table of origins; give one of {', '.join(TABLE_SUFFIXES)}")
    rows: dict[str, Origin] = {}
    silent: set[str] = set()
    column: str | None = None
    try:
        for number, row in enumerate(table_rows(path), start=1):
            column = column or file_column(row)
            if column is None:
                raise ScanError(
                    f"{path}: no column says which file a row is about; name it "
                    f"{' or '.join(FILE_NAMES[:3])} (it has {', '.join(map(str, row))})"
                )
            name = plain_name(str(row.get(column) or ""))
            said = origin_said(row, path.name)
            if not name or said is None:
                silent.add(name)
            elif rows.setdefault(name, said) != said:
                raise ScanError(f"{path}: row {number}: another row says otherwise of {name!r}")
    except (OSError, ValueError, csv.Error) as error:
        raise ScanError(f"{path}: cannot be read as a table ({error})") from error
    if not rows:
        raise ScanError(f"{path}: no row says where a file came from; see docs/input.md")
    return OriginTable(path=path, rows=rows, silent=frozenset(silent - {""}))


def match(table: OriginTable, names: Iterable[str], folder: Path) -> Matched:
    """Give files the rows that are about them.

    A row's name is the file's path, or the last parts of it, with or without suffix; what fits
    several files in several folders is about none of them.

    Args:
        table: the rows.
        names: of the files, relative to the folder that was offered, with `/`.
        folder: that one.
    """
    spelt = {plain_name(name): name for name in names}
    origins: dict[str, Origin] = {}
    used: set[str] = set()
    endings: dict[str, set[str]] = defaultdict(set)
    for plain in spelt:
        parts = PurePosixPath(plain_name(str(folder / plain))).parts
        for start in range(len(parts)):
            ending = str(PurePosixPath(*parts[start:]))
            endings[ending].add(plain)
            endings[str(PurePosixPath(ending).with_suffix(""))].add(plain)
    for wanted in (True, False):  # whole paths first: they are certain
        for row, origin in table.rows.items():
            files = {row} & spelt.keys() if wanted else endings.get(row, set())
            if len(files) == 1 and spelt[next(iter(files))] not in origins and row not in used:
                origins[spelt[next(iter(files))]] = origin
                used.add(row)
    counts = OriginCounts(
        matched=len(origins),
        unmatched=len(spelt) - len(origins),
        unused=len(table.rows) - len(used) + len(table.silent - endings.keys()),
    )
    return Matched(origins=origins, counts=counts)
