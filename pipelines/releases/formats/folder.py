"""The format `folder`: `images/`, `masks/`, and a list of names for each split."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.releases.entry import Entry
from pipelines.releases.formats.parts import by_split, copy_blobs, in_order, writing
from pipelines.workspace.store import Store


def check() -> None:
    """Nothing is needed."""


def write(folder: Path, entries: Sequence[Entry], store: Store) -> None:
    """Write ``images/NAME.jpg``, ``masks/NAME.png``, and ``SPLIT.txt``, one name a line.

    A split without members gets no list: readers take an empty one for a mistake.

    Raises:
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    ordered = in_order(entries)
    copy_blobs(folder, ((entry.image_file, entry.image_blob) for entry in ordered), store)
    copy_blobs(folder, ((entry.mask_file, entry.mask_blob) for entry in ordered), store)
    with writing(folder):
        for split, members in by_split(entries).items():
            with (folder / f"{split}.txt").open("w", encoding="utf-8") as file:
                file.writelines(f"{entry.name}\n" for entry in members)
