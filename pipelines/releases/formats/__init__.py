"""What a release looks like on disk: one module a format, each with a function `write`.

Every format holds the blobs' own bytes, or (COCO's masks) the same pixels in another lossless
coding, and nothing of the machine or the hour: the same entries give the same bytes. What all
releases share (`manifest.jsonl`, `card.md`, `checksums.txt`) is written by whoever builds them.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pipelines.releases.entry import Entry
from pipelines.releases.formats import coco, folder, hf, parquet, webdataset, yolo
from pipelines.workspace.store import Store

__all__ = ["SHARDED", "Format", "check", "describe", "write"]


class Format(StrEnum):
    """How a release is laid out."""

    FOLDER = "folder"  # images/, masks/, and a list of names a split; what `sinet` trains on
    COCO = "coco"  # images/ and annotations/, masks as run lengths
    WEBDATASET = "webdataset"  # tar files, for training over a network
    PARQUET = "parquet"  # tables, for Hugging Face `datasets`
    HF = "hf"  # a dataset repository of the Hub: tables, and README.md and Croissant about them
    YOLO = "yolo"  # a polygon a portrait, for Ultralytics


_MODULES: Final[dict[Format, Any]] = {
    Format.FOLDER: folder,
    Format.COCO: coco,
    Format.WEBDATASET: webdataset,
    Format.PARQUET: parquet,
    Format.HF: hf,
    Format.YOLO: yolo,
}

SHARDED: Final = frozenset({Format.WEBDATASET, Format.PARQUET, Format.HF})
"""Formats whose portraits lie in shards."""


def check(form: Format) -> None:
    """Find out whether a format can be written, before anything is.

    Raises:
        PipelineError: what it needs is not installed.
    """
    _MODULES[form].check()


def write(
    form: Format, target: Path, entries: Sequence[Entry], store: Store, workers: int = 1
) -> None:
    """Write portraits and masks.

    Args:
        form: the layout.
        target: an existing folder; files of other names in it are left alone.
        entries: what is released, in any order; each name once.
        store: holds the blobs; each is checked against its name as it is read.
        workers: shards that are written at the same time, where there are shards.

    Raises:
        PipelineError: what the format needs is not installed.
        WorkspaceError: a blob is missing or damaged, or the folder cannot be written.
    """
    module = _MODULES[form]
    if form in SHARDED:
        module.write(target, entries, store, workers)
    else:
        module.write(target, entries, store)


def describe(form: Format, target: Path, entries: Sequence[Entry], licence: str | None) -> None:
    """Write what a format says of the release as a whole, once its card is there.

    Args:
        form: the layout.
        target: folder of the release, with portraits, masks and card.
        entries: as `write`.
        licence: stated for all photos of which nothing else is known.

    Raises:
        WorkspaceError: a file cannot be written.
    """
    if form is Format.HF:
        hf.describe(target, entries, licence)
