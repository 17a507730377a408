"""Blobs that no row names: what interrupted work and forgotten photos left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from db import owners, reader
from pipelines.lineage.blobs import digests, named_blobs, unnamed
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class CollectRequest:
    """What to do.

    Attributes:
        dry_run: count only.
        yes: remove however many there are; else no more than a share of all blobs, see
            `StoreSettings.most_removed`.
    """

    dry_run: bool = False
    yes: bool = False


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


@dataclass
class Removed:
    """What became of some blobs that no row names.

    Attributes:
        blobs: number of those that were removed, or would be.
        blob_bytes: their bytes.
        spared_keys: of those that a process at work may be about to name.
    """

    blobs: int = 0
    blob_bytes: int = 0
    spared_keys: list[str] = field(default_factory=list)


def collect_garbage(
    workspace: Workspace, request: CollectRequest, progress: Progress = SILENT
) -> Collected:
    """Remove what no row names.

    An ingest may run meanwhile: it writes a blob before the row that names it, so what a process
    at work has put and not named yet is spared.

    Args:
        workspace: opened to write.
        request: whether to remove anything, and how much at most.
        progress: told of every blob that is looked at.

    Raises:
        PipelineError: more than that would be removed; nothing was.
        WorkspaceError: a file cannot be removed.
    """
    total = 0

    def counted() -> Iterator[str]:
        nonlocal total
        for key in tracked(progress, workspace.store.keys(), "collecting", "blobs"):
            total += 1
            yield key

    with reader(workspace.engine).begin() as connection:
        named = digests(blob.key for blob in named_blobs(connection))
    found = list(unnamed(counted(), named))
    most = workspace.settings.store.most_removed
    if len(found) > most * total and not (request.yes or request.dry_run):
        raise PipelineError(
            f"{workspace.paths.root}: no row names {len(found):,} of {total:,} blobs "
            f"({len(found) / total:.0%}), more than the {most:.0%} that are removed unasked: is "
            "this the right database, or an old copy of it? If it is, say so with --yes; nothing "
            "was removed"
        )
    removed = remove_unnamed(workspace, found, dry_run=request.dry_run)
    result = Collected(
        blobs=removed.blobs, blob_bytes=removed.blob_bytes, spared=len(removed.spared_keys)
    )
    _collect_temporaries(workspace, result, dry_run=request.dry_run)
    return result


def remove_unnamed(workspace: Workspace, keys: Sequence[str], *, dry_run: bool = False) -> Removed:
    """Remove those of some blobs that no row names and nobody at work is about to name.

    Args:
        workspace: opened to write.
        keys: of blobs that had no name a moment ago.
        dry_run: count only.

    Raises:
        WorkspaceError: a file cannot be removed.
    """
    result = Removed()
    if not keys:
        return result
    store = workspace.store

    def parted(some: Sequence[str]) -> tuple[list[str], set[str]]:
        """Those that no row names, and of them those that somebody is about to name."""
        # In this order: what is struck out of the notes meanwhile is found named.
        noted = workspace.intents.of(workspace.others_at_work())
        with reader(workspace.engine).begin() as connection:
            named = digests(blob.key for blob in named_blobs(connection))
        left = list(unnamed(some, named))
        return left, noted.intersection(left)

    def wanted(some: Sequence[str]) -> set[str]:
        left, noted = parted(some)
        return set(some).difference(left) | noted

    # Before the notes are read. What is put after the first line has another version then, or the
    # store asks what is wanted once more; what was put before it is in its process's notes, or
    # these were settled: then a row names it.
    versions = {key: store.version(key) for key in keys}
    left, spared = parted(keys)
    there = {key: version for key in left if (version := versions[key]) is not None}
    removable = {key: version for key, version in there.items() if key not in spared}
    if dry_run:
        freed = {key: store.size(key) for key in removable}
    else:
        freed = store.remove_all(removable, wanted)
    result.spared_keys = [key for key in there if key not in freed]
    result.blobs, result.blob_bytes = len(freed), sum(freed.values())
    return result


def _collect_temporaries(workspace: Workspace, result: Collected, *, dry_run: bool) -> None:
    found = workspace.store.temporaries()
    with reader(workspace.engine).begin() as connection:
        there = owners.present(connection)
    dead = set(workspace.presence.dead({each.owner for each in found}, there))
    for each in found:
        if each.owner in dead:
            result.temporaries += 1
            result.temporary_bytes += each.size_bytes
    if not dry_run:
        for name in dead:
            workspace.store.discard_temporaries(name)
