"""What the formats have in common: the order of entries, files of blobs, optional packages."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from db import Split
from pipelines.releases.entry import Entry
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.store import Store, storage_message

# Reading, hashing and writing take turns; each future holds a piece, not a file.
_THREADS = 4
_PIECE = 64


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Entries by name, whatever order they came in."""
    return sorted(entries, key=lambda entry: entry.name)


def by_split(entries: Sequence[Entry]) -> dict[Split, list[Entry]]:
    """Entries of each split by name; a split without any is left out."""
    ordered = in_order(entries)
    members = {split: [entry for entry in ordered if entry.split == split] for split in Split}
    return {split: entries for split, entries in members.items() if entries}


def copy_blobs(folder: Path, files: Sequence[tuple[str, str]], store: Store) -> None:
    """Write blobs as files.

    Args:
        folder: the release.
        files: path within the folder, and store key.
        store: checks each blob against its name.

    Raises:
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    with writing(folder):
        for parent in {Path(name).parent for name, _ in files}:
            (folder / parent).mkdir(parents=True, exist_ok=True)
        root = str(folder)

        def copy(piece: Sequence[tuple[str, str]]) -> None:
            for name, key in piece:
                # A `Path` for each of a million files costs more than opening them.
                with open(f"{root}/{name}", "wb", buffering=0) as file:  # noqa: PTH123
                    file.write(store.get(key))

        pieces = (files[start : start + _PIECE] for start in range(0, len(files), _PIECE))
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(copy, pieces):
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
