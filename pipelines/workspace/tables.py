"""Tables in files: rows by the names of their columns, and which column names a file."""

import csv
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pipelines.workspace.errors import ScanError

TABLE_SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
FILE_NAMES: Final = (
    "file", "file_name", "filename", "path", "image", "name", "image_id", "key", "id",
)  # fmt: skip
"""Columns that say which file a row is about, best first."""
_MAX_CELL: Final = 1024**2


def table_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Rows of a table as mappings, by the suffix of its file.

    Raises:
        ScanError: Parquet without pyarrow.
        OSError, ValueError, csv.Error: it cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        if suffix in (".jsonl", ".ndjson"):
            for line in filter(str.strip, file):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("a line is no object")
                yield row
            return
        csv.field_size_limit(_MAX_CELL)
        yield from csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else _delimiter(path))


def file_column(columns: Iterable[str]) -> str | None:
    """The column that names files, as it is spelt; None if there is none."""
    spelt = {plain_column(name): name for name in reversed(list(columns))}
    return next((spelt[name] for name in FILE_NAMES if name in spelt), None)


def plain_column(name: object) -> str:
    """The name of a column in small letters, with an underscore for whatever else."""
    return re.sub(r"[^a-z0-9]+", "_", str(name).strip().lower()).strip("_")


def plain_name(name: str) -> str:
    """A path as tables write it: NFC, with `/`; empty for nothing."""
    path = unicodedata.normalize("NFC", name.strip()).replace("\\", "/")
    return str(PurePosixPath(path)) if path else ""


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ScanError(
            f"{path}: reading Parquet needs pyarrow: pip install 'portrait-dataengine[export]'"
        ) from error
    with ParquetFile(path) as file:
        plain = [each.name for each in file.schema_arrow if not is_heavy(each.type)]
        for batch in file.iter_batches(columns=plain):
            yield from batch.to_pylist()


def is_heavy(kind: Any) -> bool:
    """Columns of bytes or nested values are pictures and the like."""
    return "binary" in str(kind) or str(kind).startswith(("struct", "list", "large_list", "map"))


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        head = file.readline(_MAX_CELL)
    return max((",", ";", "\t"), key=head.count)
