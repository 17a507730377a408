"""What the formats have in common: the order of entries, files of blobs, optional packages."""

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from db import Split
from pipelines.releases.entry import Entry
from pipelines.releases.kept import Part, order_of
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.store import Store, storage_message
from sinet import batching

# Reading, hashing and writing take turns; a thread is given a piece, not a file.
_THREADS = 4
_PIECE = 64


def in_order(entries: Sequence[Entry]) -> Part:
    """Entries by name, whatever order they came in."""
    return Part(entries, order_of([entry.name for entry in entries]))


def by_split(entries: Sequence[Entry]) -> dict[Split, Part]:
    """Entries of each split by name; a split without any is left out."""
    names, splits = [], []
    for entry in entries:
        names.append(entry.name)
        splits.append(entry.split)
    order = order_of(names)
    parts = {
        split: Part(entries, (each for each in order if splits[each] is split)) for split in Split
    }
    return {split: part for split, part in parts.items() if part}


def sized(entries: Iterable[Entry], store: Store) -> Iterator[tuple[Entry, int]]:
    """Entries with the bytes of their picture and mask, in their order.

    Several are asked for at once: in a bucket each answer takes a while.

    Raises:
        WorkspaceError: a blob is missing.
    """

    def look(piece: Sequence[Entry]) -> list[tuple[Entry, int]]:
        return [(each, store.size(each.image_blob) + store.size(each.mask_blob)) for each in piece]

    for piece in batching.in_order(look, batching.batches(entries, _PIECE), _THREADS):
        yield from piece


def copy_blobs(folder: Path, files: Iterable[tuple[str, str]], store: Store) -> None:
    """Write blobs as files.

    Args:
        folder: the release.
        files: path within a folder of the release, and store key.
        store: checks each blob against its name.

    Raises:
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    with writing(folder):
        root, made = str(folder), set[str]()

        def copy(piece: Sequence[tuple[str, str]]) -> None:
            for name, key in piece:
                # A `Path` for each of a million files costs more than opening them.
                with open(f"{root}/{name}", "wb", buffering=0) as file:  # noqa: PTH123
                    file.write(store.get(key))

        def pieces() -> Iterator[list[tuple[str, str]]]:
            for piece in batching.batches(files, _PIECE):
                for parent in {posixpath.dirname(name) for name, _ in piece} - made:
                    (folder / parent).mkdir(parents=True, exist_ok=True)
                    made.add(parent)
                yield piece

        for _ in batching.in_order(copy, pieces(), _THREADS):
            pass


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line.

    Raises:
        WorkspaceError: something within the block could not be written.
    """
    try:
        yield
    except OSError as error:
        raise WorkspaceError(storage_message(Path(error.filename or folder), error)) from error


@contextmanager
def needing(form: str) -> Iterator[None]:
    """Import optional packages within this block.

    Raises:
        PipelineError: one is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise PipelineError(
            f"the format {form} needs the package {error.name}, which is not installed: "
            "pip install 'portrait-dataengine[export]'"
        ) from error
