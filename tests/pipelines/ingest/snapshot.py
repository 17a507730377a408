"""What a workspace holds, keyed so that two runs over the same files can be compared.

Rows are known by URI, SHA-256 and ordinal instead of by id. What may differ from run to run is
left out (`RUN_SPECIFIC`); any other column, also one added later, has to be equal.
"""

import hashlib
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import ITEM_TABLES, Image, JobRow, JobState, Mask, Portrait, Source, open_engine, reader
from db.tables import Rows

RUN_SPECIFIC = {
    "id", "image_id", "portrait_id", "settings_id", "item_id", "added_at", "created_at",
    "finished_at",
    "attempts", "crashes", "losses", "owner", "lease_until",
}  # fmt: skip

Row = dict[str, Any]
Snapshot = dict[tuple[Hashable, ...], Row]


def snapshot(workspace: Path) -> Snapshot:
    """Everything a run leaves in the database, by keys such as ``("portrait", sha256, 0)``."""
    engine = open_engine(f"sqlite:///{workspace}/dataengine.db")
    try:
        with reader(engine).begin() as connection:
            return _snapshot(connection)
    finally:
        engine.dispose()


def differences(
    one: Snapshot,
    other: Snapshot,
    equal: Callable[[str, Any, Any], bool] = lambda _, value, another: bool(value == another),
) -> list[str]:
    """What is lost, added or another; empty for equal snapshots.

    Args:
        one: a snapshot.
        other: another.
        equal: given a column's name and its two values.
    """
    found = [f"only in the first: {key}" for key in one if key not in other]
    found += [f"only in the second: {key}" for key in other if key not in one]
    for key in one.keys() & other.keys():
        found += [
            f"{key}: {name} is {one[key][name]!r} and {other[key][name]!r}"
            for name in one[key]
            if not equal(name, one[key][name], other[key][name])
        ]
    return found


def broken_blobs(workspace: Path) -> list[str]:
    """Blobs that rows name and that are missing or not what their name says.

    This must hold at every moment of a run, however it ended.
    """
    return [
        f"{key}: {problem}"
        for key in sorted(_named_blobs(snapshot(workspace)))
        if (problem := _blob_problem(workspace / "store" / key))
    ]


def leftovers(workspace: Path) -> list[str]:
    """What a finished run must not leave: temporary and unnamed files, locks, work in hand."""
    rows = snapshot(workspace)
    named = _named_blobs(rows)
    store = workspace / "store"
    files = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
    found = [f"unnamed: {name}" for name in sorted(files - named - {"workspace-id"})]
    found += [f"lock: {path.name}" for path in (workspace / "locks").iterdir()]
    found += [f"temporary: {path.name}" for path in workspace.glob(".dataengine.toml*")]
    unfinished = (JobState.TODO, JobState.DOING)
    found += [
        f"unfinished: {key}"
        for key, row in rows.items()
        if key[0] == "job" and row["state"] in unfinished
    ]
    return found


def _snapshot(connection: Connection) -> Snapshot:
    rows: Snapshot = {}
    images: dict[int, str] = {}
    for image in _rows(connection, Image):
        images[image.id] = image.sha256
        rows["image", image.sha256] = _compared(image)
    sources: dict[int, str] = {}
    for source in _rows(connection, Source):
        sources[source.id] = source.uri
        image_sha256 = images.get(source.image_id)
        rows["source", source.uri] = {**_compared(source), "image": image_sha256}
    portraits: dict[int, tuple[str, int]] = {}
    for portrait in _rows(connection, Portrait):
        portraits[portrait.id] = images[portrait.image_id], portrait.ordinal
        rows["portrait", *portraits[portrait.id]] = _compared(portrait)
    masks: dict[int, Hashable] = {}
    for mask in _rows(connection, Mask):
        masks[mask.id] = (*portraits[mask.portrait_id], mask.revision)
        rows["mask", *portraits[mask.portrait_id], mask.revision] = _compared(mask)
    items: dict[Any, dict[int, Hashable]] = {
        Source: dict(sources),
        Image: dict(images),
        Portrait: dict(portraits),
        Mask: masks,
    }
    for job in _rows(connection, JobRow):
        item = items[ITEM_TABLES[job.stage]][job.item_id]
        rows["job", job.stage.value, item] = _compared(job)
    return rows


def _rows(connection: Connection, table: type[Rows]) -> Iterable[sa.Row[Any]]:
    return connection.execute(sa.select(table.__table__)).all()


def _compared(row: sa.Row[Any]) -> Row:
    return {name: value for name, value in row._mapping.items() if name not in RUN_SPECIFIC}


def _named_blobs(rows: Snapshot) -> set[str]:
    blobs = {row.get(name) for row in rows.values() for name in ("blob", "probability_blob")}
    return {blob for blob in blobs if blob is not None}


def _blob_problem(path: Path) -> str | None:
    if not path.is_file():
        return "missing"
    if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
        return "its content does not match its name"
    return None
