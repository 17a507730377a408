"""The format `parquet`: tables that Hugging Face `datasets` opens with pictures as pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipelines.releases.entry import Entry
from pipelines.releases.formats.columns import COLUMNS, Kind, table_row
from pipelines.releases.formats.parts import by_split, needing, sized, writing
from pipelines.releases.kept import Part
from pipelines.workspace.store import Store
from sinet import batching
from sinet.json_text import to_json

# Of pictures in one file; and rows that are read at once, some 10 MB.
MAX_SHARD_BYTES = 256 * 1024**2
ROWS_A_GROUP = 100

PICTURES = ("image", "mask")
"""Columns of files, beside the manifest's."""


def check() -> None:
    """Raise PipelineError if pyarrow is not installed."""
    with needing("parquet"):
        import pyarrow.parquet  # noqa: F401


def write(folder: Path, entries: Sequence[Entry], store: Store, workers: int = 1) -> None:
    """Write ``SPLIT-00000-of-00002.parquet``, ….

    Columns: `image` and `mask` (files as they are, decoded by `datasets`), and the manifest's
    fields; `scores`, `certificate` and `origin` are JSON: not every mask has the same scores, few
    have a certificate, and of some photos nothing says where they came from.

    Args:
        folder: of the release.
        entries: its members.
        store: holds the blobs.
        workers: shards that are written at the same time; they are the same bytes however many.

    Raises:
        PipelineError: pyarrow is not installed.
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    check()

    def named() -> Iterator[tuple[str, Part]]:
        for split, members in by_split(entries).items():
            shards = list(_shards(members, store))
            for number, shard in enumerate(shards):
                name = f"{split}-{number:05}-of-{len(shards):05}.parquet"
                yield name, Part(members, shard)

    def write_shard(shard: tuple[str, Part]) -> None:
        name, members = shard
        _write_shard(folder / name, members, store)

    with writing(folder):
        for _ in batching.in_order(write_shard, named(), workers):
            pass


def _shards(members: Sequence[Entry], store: Store) -> Iterator[range]:
    """Consecutive pieces of about `MAX_SHARD_BYTES`: names say how many there are."""
    begin = size = 0
    for number, (_, pictures) in enumerate(sized(members, store)):
        size += pictures
        if size >= MAX_SHARD_BYTES:
            yield range(begin, number + 1)
            begin, size = number + 1, 0
    if begin < len(members):
        yield range(begin, len(members))


def _write_shard(path: Path, members: Sequence[Entry], store: Store) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = _schema()
    # JPEG and PNG do not get smaller; the other columns are a few bytes.
    with ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, len(members), ROWS_A_GROUP):
            rows = [_row(entry, store) for entry in members[start : start + ROWS_A_GROUP]]
            writer.write_table(pa.Table.from_pylist(rows, schema))


def _row(entry: Entry, store: Store) -> dict[str, Any]:
    row = table_row(entry)
    row["image"] = {"bytes": store.get(entry.image_blob), "path": Path(entry.image_file).name}
    row["mask"] = {"bytes": store.get(entry.mask_blob), "path": Path(entry.mask_file).name}
    return row


def _schema() -> Any:
    """Columns, and beside them what tells `datasets` that two of them are pictures."""
    import pyarrow as pa

    types = {
        Kind.TEXT: (pa.string(), _value("string")),
        Kind.JSON: (pa.string(), _value("string")),
        Kind.INTEGER: (pa.int64(), _value("int64")),
        Kind.NUMBER: (pa.float64(), _value("float64")),
        Kind.FLAG: (pa.bool_(), _value("bool")),
        Kind.TEXTS: (pa.list_(pa.string()), _list("string")),
        Kind.INTEGERS: (pa.list_(pa.int64()), _list("int64")),
    }
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [(name, picture, {"_type": "Image"}) for name in PICTURES]
    fields += [(name, *types[kind]) for name, (kind, _) in COLUMNS.items()]
    features = {name: feature for name, _, feature in fields}
    metadata = {"huggingface": to_json({"info": {"features": features}})}
    return pa.schema([(name, kind) for name, kind, _ in fields], metadata=metadata)


def _value(kind: str) -> dict[str, Any]:
    return {"dtype": kind, "_type": "Value"}


def _list(kind: str) -> dict[str, Any]:
    """As every version of `datasets` reads it, also those that have a type List."""
    return {"feature": _value(kind), "_type": "Sequence"}
