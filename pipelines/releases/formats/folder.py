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
    files = [(entry.image_file, entry.image_blob) for entry in ordered]
    files += [(entry.mask_file, entry.mask_blob) for entry in ordered]
    copy_blobs(folder, files, store)
    with writing(folder):
        for split, members in by_split(entries).items():
            text = "".join(f"{entry.name}\n" for entry in members)
            (folder / f"{split}.txt").write_text(text, encoding="utf-8")
