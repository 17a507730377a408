"""A photo is removed everywhere it can be; it and its copies are refused from then on.

In this order, so that a kill at any moment leaves nothing unknown: one transaction removes the
rows, writes the tombstone and notes the tasks on review servers; then the blobs are removed (what
is left of them no row names: `collect` finishes it); then the tasks, by `review.removals`, here or
at the next push or pull. Released folders are never changed: they are listed instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    ITEM_TABLES,
    Admitted,
    Forgotten,
    GalleryTag,
    Honeypot,
    Image,
    JobRow,
    JobState,
    Mask,
    Negative,
    Portrait,
    Release,
    ReleaseItem,
    Review,
    ReviewRequest,
    Run,
    Source,
    TaskRemoval,
    insert_new,
    overwrite_what_was_deleted,
    reader,
)
from pipelines.lineage.collecting import Removed, remove_unnamed
from pipelines.pictures.near_duplicates.tombstone import tombstone
from pipelines.portraits.near_pairs import forget_in_blocks
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.exclusive import PUSH, exclusive
from pipelines.workspace.store import digest_of
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True)
class Photo:
    """What is known of a photo.

    Attributes:
        photo_id: its id.
        sha256: of its bytes.
        uris: of its files, which stay.
        portraits: number of its portraits.
        masks: number of their masks, all revisions.
        reviews: number of people's decisions on them.
        tasks: number of tasks on review servers.
        near_duplicates: other images of its group, which stay.
    """

    photo_id: int
    sha256: str
    uris: list[str]
    portraits: int
    masks: int
    reviews: int
    tasks: int
    near_duplicates: int


@dataclass(frozen=True)
class Containing:
    """A release with portraits of the photos, and what was trained on it.

    Attributes:
        name: of the release.
        path: its folder, absolute or relative to the workspace.
        items: names of the portraits in it.
        runs: folders of the runs, relative to the workspace.
    """

    name: str
    path: str
    items: list[str]
    runs: list[str]


@dataclass(frozen=True)
class Plan:
    """What forgetting takes away, and what it cannot reach."""

    photos: list[Photo]
    releases: list[Containing]


@dataclass
class RemovedPhotos:
    """What was removed.

    Attributes:
        photos: number of photos.
        blobs: number of files of the store.
        spared_keys: of blobs that a process at work may be about to name; `collect` removes them
            later.
        by_bytes_alone: photos whose copies will not be known: too little is to be seen on them,
            or they could never be decoded.
    """

    photos: int = 0
    blobs: int = 0
    spared_keys: list[str] = field(default_factory=list)
    by_bytes_alone: int = 0


@dataclass(frozen=True)
class _Rows:
    """Ids of what belongs to an image; of a negative the key of its picture."""

    image: int
    sources: Sequence[int]
    portraits: Sequence[int]
    masks: Sequence[int]
    requests: Sequence[int]
    negatives: Sequence[str]

    @property
    def jobs(self) -> sa.ColumnElement[bool]:
        ids: dict[Any, Sequence[int]] = {
            Source: self.sources,
            Image: [self.image],
            Portrait: self.portraits,
            Mask: self.masks,
        }
        return sa.or_(
            *(
                sa.and_(JobRow.stage == stage, JobRow.item_id.in_(ids[table]))
                for stage, table in ITEM_TABLES.items()
            )
        )

    @property
    def reviews(self) -> sa.ColumnElement[bool]:
        return sa.or_(
            Review.mask_id.in_(self.masks),
            Review.fixed_mask_id.in_(self.masks),
            Review.request_id.in_(self.requests),
        )

    @property
    def released(self) -> sa.ColumnElement[bool]:
        return sa.or_(
            ReleaseItem.portrait_id.in_(self.portraits),
            ReleaseItem.mask_id.in_(self.masks),
            ReleaseItem.image_sha256.in_([digest_of(key) for key in self.negatives]),
        )


def plan(connection: Connection, image_ids: Sequence[int]) -> Plan:
    """Say what `remove_photos` would remove, and which releases hold it."""
    items: dict[int, list[str]] = {}
    photos = []
    for image_id in image_ids:
        rows = _rows(connection, image_id)
        photos.append(_photo(connection, rows))
        query = sa.select(ReleaseItem.release_id, ReleaseItem.name).where(rows.released)
        for release_id, name in connection.execute(query.order_by(ReleaseItem.id)):
            items.setdefault(release_id, []).append(name)
    return Plan(photos, [_containing(connection, key, items[key]) for key in sorted(items)])


def remove_photos(workspace: Workspace, image_ids: Sequence[int]) -> RemovedPhotos:
    """Remove photos: sources, crops, masks, questions, decisions and jobs, and their blobs.

    Args:
        workspace: opened.
        image_ids: of photos that are there.

    Raises:
        PipelineError: an ingest is at work on one of them; nothing was removed.
        BusyError: a push is at work; nothing was removed.
        WorkspaceError: a blob cannot be removed; no row names it any more.
    """
    if not image_ids:
        return RemovedPhotos()
    workspace.clear_up_after_the_dead()
    tombstones = _tombstones(workspace, image_ids)
    # A push that has read a question would send its picture after all.
    with exclusive(workspace, *PUSH), workspace.engine.begin() as connection:
        for image_id in image_ids:
            rows = _rows(connection, image_id)
            _remove_rows(connection, rows, tombstones.get(image_id))
    known = sum(stone is not None for stone in tombstones.values())
    removed = finish_forgetting(workspace)
    return RemovedPhotos(
        photos=len(image_ids),
        blobs=removed.blobs,
        spared_keys=removed.spared_keys,
        by_bytes_alone=len(image_ids) - known,
    )


def finish_forgetting(workspace: Workspace) -> Removed:
    """Remove what is left of photos whose rows are gone: blobs, bytes in the database, digests.

    A process that was killed in between left them, or another that was about to name one spared it.

    Args:
        workspace: opened to write.

    Raises:
        WorkspaceError: a blob cannot be removed.
    """
    query = sa.select(Forgotten.id, Forgotten.unfinished)
    with reader(workspace.engine).begin() as connection:
        left = connection.execute(query.where(Forgotten.unfinished.is_not(None))).all()
    if not left:
        return Removed()
    overwrite_what_was_deleted(workspace.engine)
    forget_in_blocks(workspace)
    removed = remove_unnamed(workspace, sorted({key for row in left for key in row.unfinished}))
    with workspace.engine.begin() as connection:
        for row in left:
            still = [key for key in row.unfinished if key in removed.spared_keys] or None
            update = sa.update(Forgotten).where(Forgotten.id == row.id)
            connection.execute(update.values(unfinished=still))
    return removed


def _tombstones(workspace: Workspace, image_ids: Sequence[int]) -> dict[int, bytes | None]:
    """By image; made before the transaction, since it takes half a second a photo."""
    query = sa.select(Image.id, Image.descriptor).where(Image.id.in_(image_ids))
    with reader(workspace.engine).begin() as connection:
        found = connection.execute(query).all()
    return {row.id: tombstone(row.descriptor) if row.descriptor else None for row in found}


def _rows(connection: Connection, image_id: int) -> _Rows:
    def ids(table: Any, condition: sa.ColumnElement[bool]) -> list[int]:
        return list(connection.scalars(sa.select(table.id).where(condition).order_by(table.id)))

    portraits = ids(Portrait, Portrait.image_id == image_id)
    masks = ids(Mask, Mask.portrait_id.in_(portraits))
    asked = sa.or_(ReviewRequest.portrait_id.in_(portraits), ReviewRequest.mask_id.in_(masks))
    return _Rows(
        image_id,
        ids(Source, Source.image_id == image_id),
        portraits,
        masks,
        ids(ReviewRequest, asked),
        list(connection.scalars(sa.select(Negative.blob).where(Negative.image_id == image_id))),
    )


def _remove_rows(connection: Connection, rows: _Rows, stone: bytes | None) -> None:
    """Remove a photo's rows, in the order of their references; note the blobs they named."""
    image = connection.execute(sa.select(Image.sha256).where(Image.id == rows.image)).one()
    held = sa.select(JobRow.id).where(rows.jobs, JobRow.state == JobState.DOING)
    if connection.scalar(held.limit(1)) is not None:
        raise PipelineError(
            f"an ingest is at work on the photo {image.sha256[:16]}…; wait for its end, or stop "
            "it, and run the same command again"
        )
    keys = set(connection.scalars(sa.select(Portrait.blob).where(Portrait.id.in_(rows.portraits))))
    keys.update(rows.negatives)
    empty = sa.select(Negative.mask_blob).where(Negative.image_id == rows.image)
    keys.update(connection.scalars(empty))
    for column in (Mask.blob, Mask.probability_blob):
        of_masks = sa.select(column).where(Mask.id.in_(rows.masks), column.is_not(None))
        keys.update(str(key) for key in connection.scalars(of_masks))
    spoilt = sa.select(Honeypot.shown_blob).where(
        Honeypot.request_id.in_(rows.requests), Honeypot.shown_blob.is_not(None)
    )
    keys.update(str(key) for key in connection.scalars(spoilt))
    _leave_traces(connection, rows, image.sha256, stone, sorted(keys))
    ordered: tuple[tuple[Any, sa.ColumnElement[bool]], ...] = (
        (GalleryTag, GalleryTag.mask_id.in_(rows.masks)),
        (Review, rows.reviews),
        (ReviewRequest, ReviewRequest.id.in_(rows.requests)),
        (Mask, Mask.id.in_(rows.masks)),
        (JobRow, rows.jobs),
        (Portrait, Portrait.id.in_(rows.portraits)),
        (Source, Source.id.in_(rows.sources)),
        (Negative, Negative.image_id == rows.image),
        (Image, Image.id == rows.image),
    )
    # What was grouped with it is grouped anew; it keeps its split.
    regroup = sa.update(Image).where(Image.group_id == rows.image).values(group_id=None)
    connection.execute(regroup)
    for table, condition in ordered:
        connection.execute(sa.delete(table).where(condition))


def _leave_traces(
    connection: Connection, rows: _Rows, sha256: str, stone: bytes | None, keys: list[str]
) -> None:
    """Tombstone, blobs to be removed, releases that hold the photo, and tasks on their servers."""
    insert_new(connection, Forgotten, [{"sha256": sha256, "tombstone": stone}])
    unfinished = sa.update(Forgotten).where(Forgotten.sha256 == sha256).values(unfinished=keys)
    connection.execute(unfinished)
    connection.execute(sa.delete(Admitted).where(Admitted.sha256 == sha256))
    forgotten = connection.scalar(sa.select(Forgotten.id).where(Forgotten.sha256 == sha256))
    released = {"portrait_id": None, "mask_id": None, "forgotten_id": forgotten}
    connection.execute(sa.update(ReleaseItem).where(rows.released).values(released))
    query = sa.select(ReviewRequest.project_id, ReviewRequest.key, ReviewRequest.task_id)
    tasks = [dict(row._mapping) for row in connection.execute(query.where(_on_server(rows)))]
    if tasks:
        connection.execute(sa.insert(TaskRemoval), tasks)


def _on_server(rows: _Rows) -> sa.ColumnElement[bool]:
    """Requests whose task may be on a server."""
    tried = sa.or_(ReviewRequest.posted_at.is_not(None), ReviewRequest.task_id.is_not(None))
    return sa.and_(ReviewRequest.id.in_(rows.requests), tried)


def _photo(connection: Connection, rows: _Rows) -> Photo:
    def count(table: Any, condition: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(condition)
        return connection.scalar(query) or 0

    query = sa.select(Image.sha256, Image.group_id).where(Image.id == rows.image)
    image = connection.execute(query).one()
    uris = sa.select(Source.uri).where(Source.id.in_(rows.sources)).order_by(Source.id)
    grouped = sa.and_(Image.group_id == image.group_id, Image.id != rows.image)
    return Photo(
        rows.image,
        image.sha256,
        list(connection.scalars(uris)),
        portraits=len(rows.portraits),
        masks=len(rows.masks),
        reviews=count(Review, rows.reviews),
        tasks=count(ReviewRequest, _on_server(rows)),
        near_duplicates=count(Image, grouped) if image.group_id is not None else 0,
    )


def _containing(connection: Connection, release_id: int, items: list[str]) -> Containing:
    query = sa.select(Release.name, Release.path).where(Release.id == release_id)
    release = connection.execute(query).one()
    runs = sa.select(Run.folder).where(Run.release_id == release_id).order_by(Run.id)
    return Containing(release.name, release.path, items, list(connection.scalars(runs)))
