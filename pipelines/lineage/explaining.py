"""Where a file, or one pixel of it, came from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from db import ReleaseItem, reader
from pipelines.lineage.finding import Found, Kind, digest_from, digest_of, find
from pipelines.lineage.history import (
    PhotoHistory,
    PortraitHistory,
    ReleaseHistory,
    photo_history,
    portrait_history,
    releases,
)
from pipelines.pictures.stored_masks import read_grey
from pipelines.workspace.addresses import is_address
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.store import Store
from pipelines.workspace.workspace import Workspace

_WITH_POINT = re.compile(r"(.+):(-?\d+),(-?\d+)", re.DOTALL)


@dataclass(frozen=True)
class Point:
    """A pixel of the file, or of what was made from it: column x and row y, from 0."""

    x: int
    y: int


@dataclass(frozen=True)
class Traced:
    """A pixel of a portrait.

    Attributes:
        in_portrait: in the crop and its masks; None for a pixel of the photo outside of the crop.
        in_photo: in the upright photo.
        masks: by the revision's id, its value there: 255 portrait, 0 background; None for a blob
            that cannot be read.
    """

    in_portrait: Point | None
    in_photo: Point
    masks: dict[int, int | None]


@dataclass(frozen=True)
class ExplainedPortrait:
    """A portrait's history, and the pixel in it if one was asked for."""

    history: PortraitHistory
    pixel: Traced | None


@dataclass(frozen=True)
class Explanation:
    """What a file is.

    Attributes:
        path: as given.
        sha256: of its bytes.
        kind: what it is here.
        photo: the raw photo, if the file is one.
        portraits: whose image or mask it is, or those of the photo.
        forgotten_at: when the photo was forgotten; then there are only `released`.
        released: places in releases of a forgotten photo.
    """

    path: str
    sha256: str
    kind: Kind
    photo: PhotoHistory | None
    portraits: Sequence[ExplainedPortrait]
    forgotten_at: datetime | None
    released: Sequence[ReleaseHistory]


def parse_point(text: str) -> tuple[Path | str, Point | None]:
    """Read ``FILE`` or ``FILE:x,y``; a file whose name ends like a point is that file.

    An address of something elsewhere stays text.
    """
    match = _WITH_POINT.fullmatch(text)
    kind = str if is_address(text) else Path
    if match is None or Path(text).exists():
        return kind(text), None
    return kind(match[1]), Point(int(match[2]), int(match[3]))


def explain_file(workspace: Workspace, path: Path | str, point: Point | None = None) -> Explanation:
    """Say where a file came from.

    Args:
        workspace: opened.
        path: a released image or mask, a blob, a raw photo, or a copy of one, anywhere; or the
            address that a photo was taken in from, which is not asked again.
        point: a pixel of it; of a raw photo, in upright coordinates.

    Raises:
        PipelineError: no such file; its bytes are nothing here; the pixel is outside of it.
    """
    with reader(workspace.engine).begin() as connection:
        sha256 = digest_of(path) if isinstance(path, Path) else digest_from(connection, path)
        found = find(connection, sha256, Path(path).stem)
        if found is None:
            raise PipelineError(
                f"{path}: no image, mask or raw photo of {workspace.paths.root} has these bytes "
                f"(SHA-256 {sha256})"
            )
        photo = photo_history(connection, found.image_id) if found.image_id is not None else None
        histories = [portrait_history(connection, each) for each in found.portrait_ids]
        gone = releases(connection, _of_forgotten(found)) if found.forgotten_ids else []
    if point is not None and found.forgotten_at is None:
        _require_inside(path, point, _size(photo, histories))
    explained = [
        ExplainedPortrait(each, _trace(workspace.store, found.kind, each, point) if point else None)
        for each in histories
    ]
    return Explanation(str(path), sha256, found.kind, photo, explained, found.forgotten_at, gone)


def _of_forgotten(found: Found) -> sa.ColumnElement[bool]:
    """Items of a forgotten photo; just those with these bytes if they are no raw photo's."""
    condition: sa.ColumnElement[bool] = ReleaseItem.forgotten_id.in_(found.forgotten_ids)
    if found.kind is Kind.IMAGE:
        condition = sa.and_(condition, ReleaseItem.image_sha256 == found.sha256)
    elif found.kind is Kind.MASK:
        condition = sa.and_(condition, ReleaseItem.mask_sha256 == found.sha256)
    return condition


def _size(
    photo: PhotoHistory | None, histories: Sequence[PortraitHistory]
) -> tuple[int, int] | None:
    """Width and height of the file; None if they are not known."""
    if photo is not None:
        return (photo.width, photo.height) if photo.width and photo.height else None
    return next((history.crop.size for history in histories), None)


def _require_inside(path: Path | str, point: Point, size: tuple[int, int] | None) -> None:
    if size is None:
        raise PipelineError(f"{path}: its size is not known any more, so no pixel of it is")
    width, height = size
    if not (0 <= point.x < width and 0 <= point.y < height):
        raise PipelineError(
            f"{path}: has no pixel {point.x},{point.y}: it is {width} × {height} pixels, so x goes "
            f"from 0 to {width - 1} and y from 0 to {height - 1}"
        )


def _trace(store: Store, kind: Kind, history: PortraitHistory, point: Point) -> Traced:
    if kind is not Kind.PHOTO:
        inside, in_photo = point, Point(*history.crop.pixel_in_photo(point.x, point.y))
    else:
        pixel = history.crop.pixel_of_photo(point.x, point.y)
        if pixel is None:
            return Traced(None, point, {})
        inside, in_photo = Point(*pixel), point
    values = {mask.mask_id: _value(store, mask.blob, inside) for mask in history.masks}
    return Traced(inside, in_photo, values)


def _value(store: Store, key: str, point: Point) -> int | None:
    try:
        return int(read_grey(store, key)[point.y, point.x])
    except WorkspaceError:  # `verify` names it; the rest of the history can be told
        return None
