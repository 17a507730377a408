"""The format `webdataset`: tar files of samples, to be read in order over a network or a disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from pipelines.releases.entry import Entry
from pipelines.releases.formats.columns import plain_row
from pipelines.releases.formats.parts import by_split, needing, writing
from pipelines.workspace.store import Store
from sinet.json_text import to_json

# A shard is closed once it has this much: small enough to be fetched again, large enough to stream.
MAX_SHARD_BYTES = 256 * 1024**2
MAX_SHARD_SAMPLES = 10_000


def check() -> None:
    """Raise PipelineError if webdataset is not installed."""
    with needing("webdataset"):
        import webdataset.writer  # noqa: F401


def write(folder: Path, entries: Sequence[Entry], store: Store) -> None:
    """Write ``SPLIT-000000.tar``, …: of each portrait NAME.jpg, NAME.mask.png and NAME.json.

    NAME.json is flat and without null, so that whoever guesses types from the first samples
    guesses right.

    Raises:
        PipelineError: webdataset is not installed.
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    check()
    with writing(folder):
        for split, members in by_split(entries).items():
            _write_split(folder, str(split), members, store)


def _write_split(folder: Path, split: str, members: Sequence[Entry], store: Store) -> None:
    from webdataset.writer import ShardWriter

    # The library would take a `%` or a `:` in the folder's name for something else: it is given
    # names and opened files. Those it leaves open.
    opened: list[IO[bytes]] = []

    def opener(name: str) -> IO[bytes]:
        opened.append((folder / name).open("wb"))
        return opened[-1]

    # Without `mtime` and names of user and group it would write the hour and "bigdata".
    fixed: dict[str, Any] = {"mtime": 0, "user": "", "group": "", "mode": 0o644, "encoder": False}
    limits = {"maxcount": MAX_SHARD_SAMPLES, "maxsize": MAX_SHARD_BYTES}
    try:
        with ShardWriter(
            f"{split}-%06d.tar",
            opener=opener,
            post=lambda _: opened[-1].close(),
            verbose=0,
            **limits,
            **fixed,
        ) as writer:
            for entry in members:
                writer.write(
                    {
                        "__key__": entry.name,
                        "jpg": store.get(entry.image_blob),
                        "mask.png": store.get(entry.mask_blob),
                        "json": to_json(plain_row(entry)).encode(),
                    }
                )
    finally:
        for file in opened:
            file.close()
