"""What ingestion reads from the database and writes to it.

Every function works in the caller's transaction, so that a stage's result, its job's end and the
next stage's job commit together.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    Image,
    Outcome,
    Portrait,
    Source,
    Stage,
    among,
    chunks,
    insert_new,
    lock_rows,
    queue,
    update_rows,
)
from pipelines.ingest.found import FoundArchive, FoundFile
from pipelines.ingest.offering import Offered
from pipelines.ingest.pairs import MaskOf
from pipelines.ingest.source_records import remember_archives
from pipelines.ingest.stages import FileContent
from pipelines.origins.origin import Origin
from pipelines.origins.rows import forget_origins, found_origins, state_origins
from pipelines.portraits.forgotten import refused_bytes
from pipelines.portraits.rows import PortraitRecord, portraits
from pipelines.workspace.addresses import is_remote
from pipelines.workspace.errors import ItemError

_CAME_WITH_MASK = sa.or_(
    Source.import_mask_uri.is_not(None), Source.import_mask_problem.is_not(None)
)


@dataclass
class Registered:
    """How the files of a scan compare with what is known.

    Attributes:
        new: never offered before.
        changed: known, but with another size or modification time: will be read again.
        known: known and as they were.
    """

    new: int = 0
    changed: int = 0
    known: int = 0

    @property
    def seen(self) -> int:
        """All of them."""
        return self.new + self.changed + self.known


@dataclass(frozen=True)
class ImageFiles:
    """An image and where its content can be read."""

    image_id: int
    sha256: str
    uris: tuple[str, ...]


@dataclass(frozen=True)
class ImportTask:
    """An image that came with a mask.

    Attributes:
        image: and where its content can be read.
        size: width and height.
        masks: of each of its files that came with one, or should have; oldest first.
        claimed_for: URIs of other photos that one of these masks was given to.
        portraits: cropped from it.
    """

    image: ImageFiles
    size: tuple[int, int]
    masks: tuple[MaskOf, ...]
    claimed_for: tuple[str, ...]
    portraits: tuple[PortraitRecord, ...]


def compare(
    connection: Connection, files: Sequence[FoundFile]
) -> tuple[list[FoundFile], dict[int, FoundFile], int]:
    """Tell new files from changed and known ones.

    Returns:
        New files (each URI once), changed files by their source id, and the number that are known
        and unchanged, repetitions included.
    """
    by_uri = {file.uri: file for file in files}
    new, changed = dict(by_uri), {}
    for uris in chunks(by_uri):
        columns = sa.select(
            Source.id, Source.uri, Source.size_bytes, Source.mtime_ns, Source.version
        )
        for row in connection.execute(columns.where(among(Source.uri, uris))):
            file = new.pop(row.uri)
            now = (file.size_bytes, file.mtime_ns, file.version)
            # Of an address that nobody asked, or that does not answer, nothing says it changed.
            if is_remote(row.uri) and now == (None, None, None):
                continue
            if now != (row.size_bytes, row.mtime_ns, row.version):
                changed[row.id] = file
    return list(new.values()), changed, len(files) - len(new) - len(changed)


def register(
    connection: Connection,
    files: Sequence[FoundFile],
    offered: Offered,
    room: int | None = None,
    archives: Sequence[FoundArchive] = (),
) -> Registered:
    """Record offered files and ask for those that are new or have changed to be read.

    Args:
        connection: in a transaction.
        files: what the scan found; a URI may occur twice.
        offered: masks and origins that came along, by URI.
        room: at most this many new files are taken.
        archives: those that end among the files; they are remembered if all of them are taken.
    """
    masks = offered.masks
    new, changed, known = compare(connection, files)
    if room is None or len(new) <= room:
        remember_archives(connection, archives)
    new = new[:room]
    rows = [
        {
            "uri": file.uri,
            "size_bytes": file.size_bytes,
            "mtime_ns": file.mtime_ns,
            "version": file.version,
            "beside": list(file.beside) or None,
            "import_mask_uri": masks[file.uri].uri if masks else None,
            "import_mask_problem": masks[file.uri].problem if masks else None,
        }
        for file in new
    ]
    if rows:
        insert_new(connection, Source, rows)
        for uris in chunks(file.uri for file in new):
            ids = connection.scalars(sa.select(Source.id).where(among(Source.uri, uris)))
            queue.enqueue(connection, Stage.READ, sorted(ids))
    for source_id, file in changed.items():
        update = sa.update(Source).where(Source.id == source_id)
        connection.execute(
            update.values(
                size_bytes=file.size_bytes,
                mtime_ns=file.mtime_ns,
                version=file.version,
                beside=list(file.beside) or None,
            )
        )
    forget_origins(connection, changed)
    queue.redo(connection, Stage.READ, changed)
    said = {file.uri: file.said for file in files if file.said is not None}
    for origins in (said, offered.origins):
        _state_origins(connection, [file.uri for file in files], origins)
    if masks:
        _attach_masks(connection, masks, [file.uri for file in files])
    return Registered(new=len(new), changed=len(changed), known=known)


def image_files(connection: Connection, ids: Iterable[int]) -> dict[int, ImageFiles]:
    """Images with all their URIs, oldest first."""
    wanted = list(ids)
    uris: dict[int, list[str]] = defaultdict(list)
    located = sa.select(Source.image_id, Source.uri).where(among(Source.image_id, wanted))
    for row in connection.execute(located.order_by(Source.id)):
        uris[row.image_id].append(row.uri)
    images = connection.execute(sa.select(Image.id, Image.sha256).where(among(Image.id, wanted)))
    return {row.id: ImageFiles(row.id, row.sha256, tuple(uris[row.id])) for row in images}


def import_tasks(connection: Connection, ids: Iterable[int]) -> dict[int, ImportTask]:
    """Images whose masks came along, with their portraits."""
    tasks = {}
    files = image_files(connection, ids)
    query = sa.select(Image.id, Image.width, Image.height).where(among(Image.id, files))
    for image_id, width, height in connection.execute(query).all():
        # An import is asked for once its image has portraits: both are there.
        assert width is not None
        assert height is not None
        columns = sa.select(Source.import_mask_uri, Source.import_mask_problem)
        of_image = columns.where(Source.image_id == image_id, _CAME_WITH_MASK).order_by(Source.id)
        masks = tuple(MaskOf(uri=row[0], problem=row[1]) for row in connection.execute(of_image))
        others = sa.select(Source.uri).where(
            Source.import_mask_uri.in_([each.uri for each in masks if each.problem is None]),
            Source.import_mask_problem.is_(None),
            Source.image_id != image_id,
        )
        tasks[image_id] = ImportTask(
            files[image_id],
            (width, height),
            masks,
            tuple(connection.scalars(others.order_by(Source.id))),
            tuple(portraits(connection, image_id=image_id).values()),
        )
    return tasks


def save_contents(
    connection: Connection, contents: Mapping[int, FileContent]
) -> dict[int, bool | ItemError]:
    """Link sources to their images.

    Args:
        connection: in a transaction.
        contents: by source id, in the order in which all write that do this at the same time.

    Returns:
        By source id: whether its image is new; or `forgotten`, and nothing was written.
    """
    refused = refused_bytes(connection, (content.sha256 for content in contents.values()))
    kept = {key: content for key, content in contents.items() if content.sha256 not in refused}
    images = {
        content.sha256: {"sha256": content.sha256, "size_bytes": content.size_bytes, "reasons": []}
        for content in kept.values()
    }
    added = set(insert_new(connection, Image, list(images.values())))
    ids: dict[str, int] = {}
    for some in chunks(images):
        query = sa.select(Image.sha256, Image.id).where(among(Image.sha256, some))
        ids |= {row[0]: row[1] for row in connection.execute(query)}
    # Whether its portraits are there decides who asks for the import of a mask: this, or detection.
    lock_rows(connection, Image, sorted(ids.values()))
    links = [{"id": key, "image_id": ids[content.sha256]} for key, content in kept.items()]
    update_rows(connection, Source, links)
    origins = {key: each.origin for key, each in kept.items() if each.origin is not None}
    found_origins(connection, origins)
    # In the order in which they came, which is that of their portraits, too.
    queue.enqueue(connection, Stage.DETECT, sorted(ids.values()))
    enqueue_imports(connection, sorted(ids.values()))
    told: dict[int, bool | ItemError] = {}
    for key, content in contents.items():
        if content.sha256 in refused:
            told[key] = refused[content.sha256]
            continue
        told[key] = ids[content.sha256] in added
        added.discard(ids[content.sha256])  # a second file of the same is a copy
    return told


def source_ids(connection: Connection, uris: Sequence[str]) -> tuple[list[int], list[int]]:
    """Ids of the sources with these URIs, and of their images."""
    ids, images = [], set()
    for chunk in chunks(uris):
        query = sa.select(Source.id, Source.image_id).where(among(Source.uri, chunk))
        for row in connection.execute(query):
            ids.append(row.id)
            if row.image_id is not None:
                images.add(row.image_id)
    return ids, sorted(images)


def portrait_ids(connection: Connection, image_ids: Sequence[int]) -> list[int]:
    """Ids of the portraits of these images."""
    ids: list[int] = []
    for chunk in chunks(image_ids):
        ids.extend(
            connection.scalars(sa.select(Portrait.id).where(among(Portrait.image_id, chunk)))
        )
    return ids


def _state_origins(
    connection: Connection, uris: Sequence[str], origins: Mapping[str, Origin]
) -> None:
    """Remember what a table says of files, also of those known before."""
    for chunk in chunks(uri for uri in dict.fromkeys(uris) if uri in origins):
        query = sa.select(Source.id, Source.uri).where(among(Source.uri, chunk))
        found = {row.id: origins[row.uri] for row in connection.execute(query)}
        state_origins(connection, found)


def _attach_masks(connection: Connection, masks: Mapping[str, MaskOf], uris: Sequence[str]) -> None:
    """Note which masks came with sources, also those known before, and ask for their import."""
    columns = sa.select(
        Source.id,
        Source.uri,
        Source.image_id,
        Source.import_mask_uri,
        Source.import_mask_problem,
    )
    for chunk in chunks(dict.fromkeys(uris)):
        for row in connection.execute(columns.where(among(Source.uri, chunk))).all():
            now = masks[row.uri]
            differs = MaskOf(uri=row.import_mask_uri, problem=row.import_mask_problem) != now
            if differs:
                update = sa.update(Source).where(Source.id == row.id)
                connection.execute(
                    update.values(import_mask_uri=now.uri, import_mask_problem=now.problem)
                )
            if row.image_id is not None:
                enqueue_imports(connection, [row.image_id])
                if differs:
                    queue.retry_failed(connection, Stage.IMPORT, [row.image_id])


def enqueue_imports(connection: Connection, image_ids: Iterable[int]) -> set[int]:
    """Ask for the import of masks of images that have portraits; those that have a mask."""
    with_mask: set[int] = set()
    for some in chunks(image_ids):
        query = (
            sa.select(Image.id)
            .distinct()
            .join(Source, Source.image_id == Image.id)
            .where(among(Image.id, some), Image.outcome == Outcome.PORTRAITS, _CAME_WITH_MASK)
        )
        with_mask.update(connection.scalars(query))
    queue.enqueue(connection, Stage.IMPORT, sorted(with_mask))
    return with_mask
