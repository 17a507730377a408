"""The format `webdataset`: tar files of samples, to be read in order over a network or a disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.releases.entry import Entry
from pipelines.releases.formats.columns import plain_row
from pipelines.releases.formats.parts import by_split, needing, sized, writing
from pipelines.workspace.store import Store
from sinet import batching
from sinet.json_text import to_json

# A shard is closed once it has this much: small enough to be fetched again, large enough to stream.
MAX_SHARD_BYTES = 256 * 1024**2
MAX_SHARD_SAMPLES = 10_000


def check() -> None:
    """Raise PipelineError if webdataset is not installed."""
    with needing("webdataset"):
        import webdataset.writer  # noqa: F401


class _Sample(NamedTuple):
    """What a shard is written from."""

    name: str
    image_blob: str
    mask_blob: str
    row: bytes


def write(folder: Path, entries: Sequence[Entry], store: Store, workers: int = 1) -> None:
    """Write ``SPLIT-000000.tar``, …: of each portrait NAME.jpg, NAME.mask.png and NAME.json.

    NAME.json is flat and without null, so that whoever guesses types from the first samples
    guesses right.

    Args:
        folder: of the release.
        entries: its members.
        store: holds the blobs.
        workers: shards that are written at the same time; they are the same bytes however many.

    Raises:
        PipelineError: webdataset is not installed.
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    check()

    def write_shard(shard: tuple[str, list[_Sample]]) -> None:
        name, samples = shard
        _write_shard(folder / name, samples, store)

    with writing(folder):
        for _ in batching.in_order(write_shard, _shards(entries, store), workers):
            pass


def _shards(entries: Sequence[Entry], store: Store) -> Iterator[tuple[str, list[_Sample]]]:
    """Name and samples of each shard; what goes into which is known before any is written."""
    for split, members in by_split(entries).items():
        number = size = 0
        samples: list[_Sample] = []
        for entry, pictures in sized(members, store):
            if len(samples) >= MAX_SHARD_SAMPLES or size >= MAX_SHARD_BYTES:
                yield f"{split}-{number:06}.tar", samples
                number, size, samples = number + 1, 0, []
            row = to_json(plain_row(entry)).encode()
            samples.append(_Sample(entry.name, entry.image_blob, entry.mask_blob, row))
            size += pictures + len(row)
        yield f"{split}-{number:06}.tar", samples


def _write_shard(path: Path, samples: Sequence[_Sample], store: Store) -> None:
    from webdataset.writer import TarWriter

    # Without `mtime` and names of user and group it would write the hour and "bigdata". It is given
    # an opened file: it would take a `%` or a `:` in the folder's name for something else.
    fixed: dict[str, Any] = {"mtime": 0, "user": "", "group": "", "mode": 0o644, "encoder": False}
    with path.open("wb") as file, TarWriter(file, **fixed) as writer:
        for sample in samples:
            writer.write(
                {
                    "__key__": sample.name,
                    "jpg": store.get(sample.image_blob),
                    "mask.png": store.get(sample.mask_blob),
                    "json": sample.row,
                }
            )
