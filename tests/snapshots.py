"""What a workspace holds, keyed so that two runs over the same files can be compared.

Rows are known by URI, SHA-256 and ordinal instead of by id, and rows of other tables by all that
they say. What may differ from run to run is left out (`RUN_SPECIFIC`), and of times it is compared
whether there is one; any other column, also one added later, has to be equal.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Hashable
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import ITEM_TABLES, Base, JobState, open_engine, reader
from db.times import UtcDateTime
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import WorkspacePaths, database_url

# Who is at work and with which settings; what two workspaces are told apart by.
_TABLES_LEFT_OUT = {"owner", "lock", "put_note", "workspace", "settings_used"}
RUN_SPECIFIC = {
    "id", "settings_id",
    "job.attempts", "job.crashes", "job.losses", "job.owner", "job.lease_until", "job.finished_at",
    # Random, or given by the server in the order in which it was asked.
    "review_project.nonce", "review_project.url", "review_request.key", "review_request.task_id",
    "task_removal.key", "task_removal.task_id", "gallery_tag.key",
    # Of what `export` wrote it holds the id.
    "release.name",
    "run.seconds",
}  # fmt: skip
_KNOWN_BY = {
    "image": ("sha256",),
    "source": ("uri",),
    "portrait": ("image", "ordinal"),
    "mask": ("portrait", "revision"),
    "job": ("stage", "item"),
}

Row = dict[str, Any]
Snapshot = dict[tuple[Hashable, ...], Row]


def snapshot(workspace: Path, *, within: Path | None = None) -> Snapshot:
    """Everything a run leaves in the database, by keys such as ``("portrait", sha256, 0)``.

    Args:
        workspace: its folder.
        within: folder whose name says nothing, where rows name files in it.
    """
    engine = open_engine(database_url(WorkspacePaths(workspace), load_settings(workspace)))
    try:
        with reader(engine).begin() as connection:
            return _snapshot(connection, str(within) if within else "\0")
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


def _snapshot(connection: Connection, within: str) -> Snapshot:
    found: Snapshot = {}
    names: dict[str, dict[int, Hashable]] = {}
    # Jobs name rows of other tables, though by no foreign key.
    for table in sorted(Base.metadata.sorted_tables, key=lambda each: each.name == "job"):
        if table.name in _TABLES_LEFT_OUT:
            continue
        # Rows of one table may name each other: first what each is known by.
        plain = [_plain(table, row, within) for row in connection.execute(sa.select(table))]
        if table.name in _KNOWN_BY:
            names[table.name] = {
                row["id"]: _known_by(
                    table.name, _resolved(table, row, names, _KNOWN_BY[table.name])
                )
                for row in plain
            }
        seen: Counter[Hashable] = Counter()
        for raw in plain:
            row = _resolved(table, raw, names)
            if table.name in _KNOWN_BY:
                key = _known_by(table.name, row)
            else:
                text = repr(sorted(row.items()))
                key = (text, seen[text])
                seen[text] += 1
                names.setdefault(table.name, {})[raw.get("id", 0)] = key
            found[table.name, *(key if isinstance(key, tuple) else (key,))] = row
    return found


def _plain(table: sa.Table, row: sa.Row[Any], within: str) -> Row:
    """A row's values: of times only whether there is one, of files where in the folder."""
    values: Row = {}
    for column in table.columns:
        value = row._mapping[column]
        # A tombstone has salt in it.
        if isinstance(column.type, UtcDateTime) or column.name == "tombstone":
            value = value is not None
        elif isinstance(value, str):
            value = value.replace(within, "…")
        values[column.name] = value
    return values


def _resolved(
    table: sa.Table,
    row: Row,
    names: dict[str, dict[int, Hashable]],
    only: Collection[str] | None = None,
) -> Row:
    """The same without what is run-specific, rows named by what they are known by."""
    resolved: Row = {}
    for name, value in row.items():
        if only is not None and name.removesuffix("_id") not in only:
            continue
        (target, *_) = [key.column.table.name for key in table.columns[name].foreign_keys] or [None]
        if name == "item_id" and table.name == "job":
            of_stage = ITEM_TABLES.get(row["stage"])
            target = of_stage.__tablename__ if of_stage else None
        if RUN_SPECIFIC.isdisjoint((name, f"{table.name}.{name}")):
            if target is not None and value is not None:
                value = names[target][value]
            elif name == "review_ids":
                value = len(value)
            resolved[name.removesuffix("_id")] = value
    return resolved


def _known_by(table: str, row: Row) -> Hashable:
    parts: list[Hashable] = []
    for name in _KNOWN_BY[table]:
        part = row[name]
        # A mask is known by its photo, ordinal and revision; a job by its stage and one item.
        parts += part if isinstance(part, tuple) and table != "job" else [part]
    return parts[0] if len(parts) == 1 else tuple(map(_text, parts))


def _text(part: Hashable) -> Hashable:
    return part.value if isinstance(part, StrEnum) else part


def _named_blobs(rows: Snapshot) -> set[str]:
    """Of all columns whose name says that they name one."""
    return {
        value
        for row in rows.values()
        for name, value in row.items()
        if name.endswith("blob") and value is not None
    }


def _blob_problem(path: Path) -> str | None:
    if not path.is_file():
        return "missing"
    if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
        return "its content does not match its name"
    return None
