"""A workspace as the gallery wants it: crops, masks, what is known of each, and our features.

Everything goes into a folder of files that the program reads by itself (`studio.py`); pictures come
through the store, wherever that is.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import Mask, chunks, reader
from pipelines.doubt.slices import Slice, cut
from pipelines.doubt.stored_features import stored_features
from pipelines.doubt.stored_traits import known_traits
from pipelines.networks.features import student_or_bundled
from pipelines.pages.rows import (
    PortraitRow,
    lapsed_attempts,
    lapsed_masks,
    photo_names,
    portrait_rows,
)
from pipelines.pages.sample import choose
from pipelines.pictures.stored_masks import read_mask
from pipelines.pictures.traits import interval, trait_title
from pipelines.portraits.standing import MinSource, standings
from pipelines.review.tag_journal import JOURNAL_FILE, keep_in_journal
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.store import Store, storage_message
from pipelines.workspace.workspace import Workspace
from sinet.escaping import printable
from sinet.json_text import to_json

IMAGES_FOLDER: Final = "images"
_AT_ONCE: Final = 64
_THREADS: Final = 8
_DIGITS: Final = 4


@dataclass(frozen=True, kw_only=True)
class GalleryDataset:
    """What a gallery shows.

    Attributes:
        folder: with its files.
        name: of the workspace.
        network: whose features lie in it, in words.
        portraits: of the workspace that have a mask.
        shown: of those.
        unreadable: of those that would have been shown the ones with a blob that is missing or
            damaged.
    """

    folder: Path
    name: str
    network: str
    portraits: int
    shown: int
    unreadable: int


def write_dataset(
    workspace: Workspace, folder: Path, journal: Path, at_most: int, progress: Progress = SILENT
) -> GalleryDataset:
    """Write what a gallery shows.

    Args:
        workspace: opened; slices are by the traits that are known (`scores slices`, `report`).
        folder: empty.
        journal: of its tags, which nobody else is writing to; what it says of portraits that are
            gone is left out of it.
        at_most: portraits; of more, both ends of doubt and the rest by chance.
        progress: told of every portrait.

    Raises:
        PipelineError: there is no mask to be shown, or the folder cannot be written to.
    """
    with reader(workspace.engine).begin() as connection:
        keep_in_journal(journal, connection.scalars(sa.select(Mask.id)))
        slices = cut(known_traits(connection))
        lapsed = lapsed_masks(connection, lapsed_attempts(connection))
        standing = standings(connection, MinSource.ANY)
        every = portrait_rows(connection, standing, slices, lapsed).rows
        masked = [row for row in every if row.mask_id is not None]
        rows = [masked[number] for number in choose(masked, (), at_most).rows]
        said = _fields(connection, rows, slices)
    if not rows:
        raise PipelineError(
            f"{workspace.paths.root}: no portrait has a mask yet; `dataengine ingest` makes some"
        )
    try:
        (folder / IMAGES_FOLDER).mkdir()
        shown = _write_rows(workspace.store, folder, rows, said, progress)
        if not shown:
            raise PipelineError(
                f"{workspace.paths.root}: no picture can be read; `dataengine verify` says why"
            )
        network = student_or_bundled(workspace)
        vectors = stored_features(workspace, network, [row.portrait_id for row in shown], progress)
        found = np.stack([vectors[row.portrait_id] for row in shown])
        np.save(folder / "features.npy", _standardised(found))
    except OSError as error:
        raise PipelineError(storage_message(folder, error)) from error
    return GalleryDataset(
        folder=folder,
        name=printable(workspace.paths.root.name),
        network=network.recorded,
        portraits=len(masked),
        shown=len(shown),
        unreadable=len(rows) - len(shown),
    )


def journal_of(data_dir: Path) -> Path:
    """Where the gallery of a data folder writes its tags down."""
    return data_dir / JOURNAL_FILE


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of runs, row after row, the first of background (maybe 0).

    Args:
        mask: (H, W), H, W ≥ 1.
    """
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths: list[int] = np.diff(edges, prepend=0, append=flat.size).tolist()
    return [0, *lengths] if flat[0] else lengths


def box(mask: NDArray[np.bool_]) -> list[int] | None:
    """x, y, width and height of what a mask covers; None: nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return None
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]


def _write_rows(
    store: Store,
    folder: Path,
    rows: Sequence[PortraitRow],
    said: Mapping[int, Mapping[str, Any]],
    progress: Progress,
) -> list[PortraitRow]:
    """Copy crops, write a line each; those that could be read."""
    shown = []
    progress.begin("collecting", len(rows), "portraits")
    with (
        ThreadPoolExecutor(_THREADS) as pool,
        (folder / "rows.jsonl").open("w", encoding="utf-8") as file,
    ):
        for some in chunks(rows, _AT_ONCE):
            drawn = list(pool.map(lambda row: _drawn(store, folder, row), some))
            for row, mask in zip(some, drawn, strict=True):
                if mask is not None:
                    line = {"mask": row.mask_id, "image": _file_name(row), **mask}
                    file.write(to_json({**line, "fields": said[row.portrait_id]}))
                    file.write("\n")
                    shown.append(row)
            progress.advance(len(some))
    return shown


def _drawn(store: Store, folder: Path, row: PortraitRow) -> dict[str, Any] | None:
    assert row.mask_blob is not None
    try:
        mask = read_mask(store, row.mask_blob)
        store.copy(row.blob, folder / IMAGES_FOLDER / _file_name(row), link=True)
    except WorkspaceError:
        return None
    return {"box": box(mask), "runs": runs(mask)}


def _file_name(row: PortraitRow) -> str:
    """By its number: nothing of a stranger's file name becomes a path."""
    return f"{row.portrait_id}.jpg"


def _standardised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each feature with mean 0 and, unless it is constant, deviation 1: float32 (N, C)."""
    spread = vectors.std(0)
    scaled = (vectors - vectors.mean(0)) / np.where(spread > 0, spread, 1)
    return np.asarray(scaled, np.float32)


def _fields(
    connection: Connection, rows: Sequence[PortraitRow], slices: Sequence[Slice]
) -> dict[int, dict[str, Any]]:
    """What each portrait can be filtered by: foreign text printable, what is unknown left out."""
    files = photo_names(connection, [row.image_id for row in rows])
    scores = _scores(connection, [row.mask_id for row in rows if row.mask_id is not None])
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        fields: dict[str, Any] = {
            "portrait": row.portrait_id,
            "verdict": row.verdict,
            "standing": row.standing,
            "source": row.source,
            "reasons": _listed(row.reasons, "none"),
            "reviewers": _listed(row.reviewers, "nobody"),
            "rounds": _listed(row.rounds, "none"),
            "file": printable(files.get(row.image_id, "")),
            "doubt": None if row.doubt is None else round(float(row.doubt), _DIGITS),
            **scores.get(row.mask_id or 0, {}),
        }
        found[row.portrait_id] = {key: value for key, value in fields.items() if value is not None}
    for each in slices:
        title, words = trait_title(each.trait), interval(each.trait, each.low, each.high)
        for portrait_id in each.portraits & found.keys():
            found[portrait_id][f"{title} (third)"] = words
    return found


def _listed(words: Iterable[str], none: str) -> str:
    """A field has one value: several are one text."""
    return printable(", ".join(words)) or none


def _scores(connection: Connection, mask_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for ids in chunks(mask_ids):
        query = sa.select(Mask.id, Mask.scores).where(Mask.id.in_(ids))
        for row in connection.execute(query):
            found[row.id] = {
                name.replace("_", " "): round(float(value), _DIGITS)
                for name, value in (row.scores or {}).items()
                if value is not None
            }
    return found
