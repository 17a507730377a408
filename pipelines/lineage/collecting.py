"""Blobs that no row names: what interrupted work and forgotten photos left."""

from dataclasses import dataclass

from db import reader
from pipelines.lineage.blobs import digests, named_blobs, unnamed
from pipelines.workspace import owners
from pipelines.workspace.workspace import Workspace


@dataclass
class Collected:
    """What was removed, or would be.

    Attributes:
        blobs: files of the store that no row names.
        blob_bytes: their bytes.
        temporaries: files that dead processes were writing.
        temporary_bytes: their bytes.
        spared: blobs that no row names yet, but that a process at work may be about to name.
    """

    blobs: int = 0
    blob_bytes: int = 0
    temporaries: int = 0
    temporary_bytes: int = 0
    spared: int = 0


def collect(workspace: Workspace, *, dry_run: bool = False) -> Collected:
    """Remove what no row names.

    An ingest may run meanwhile: it writes a blob before the row that names it, so whatever was
    written or asked for since the oldest process now at work was started is spared. When none is
    at work, nothing is.

    Args:
        workspace: opened.
        dry_run: count only.

    Raises:
        WorkspaceError: a file cannot be removed.
    """
    result = Collected()
    store = workspace.store
    # In this order: what is put from here on is younger, what was put before is named by now.
    since = owners.at_work_since(workspace.paths.locks, but=workspace.owner)
    with reader(workspace.engine).begin() as connection:
        named = digests(blob.key for blob in named_blobs(connection))
    for key in unnamed(store.keys(), named):
        freed = store.size_before(key, since) if dry_run else store.remove(key, since)
        if freed is None:
            result.spared += 1
        else:
            result.blobs += 1
            result.blob_bytes += freed
    _collect_temporaries(workspace, result, dry_run=dry_run)
    return result


def _collect_temporaries(workspace: Workspace, result: Collected, *, dry_run: bool) -> None:
    found = workspace.store.temporaries()
    dead = set(owners.dead_owners(workspace.paths.locks, {name for name, _ in found}))
    for name, path in found:
        if name not in dead:
            continue
        try:
            size = path.stat().st_size
            if not dry_run:
                path.unlink()
        except FileNotFoundError:  # somebody else has cleared up
            continue
        result.temporaries += 1
        result.temporary_bytes += size
