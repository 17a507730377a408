"""What `forget` is asked about: from what people type to photos of the workspace."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Portrait, Source
from pipelines.lineage.finding import Kind, digest_of, find
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.uris import file_uri, named_uris


@dataclass
class Chosen:
    """Photos that were named.

    Attributes:
        image_ids: of those that are here.
        before: what was typed, of those that were forgotten before, and when.
    """

    image_ids: list[int] = field(default_factory=list)
    before: dict[str, datetime] = field(default_factory=dict)


def choose(connection: Connection, names: Iterable[str]) -> Chosen:
    """Find photos by a raw file, a released image, a SHA-256, or ``portrait:ID``.

    A raw file that is gone is found by its path, what lies elsewhere by its address.

    Raises:
        PipelineError: something named is not here, or not just one photo's.
    """
    chosen = Chosen()
    for name in names:
        found = _images(connection, name)
        if isinstance(found, datetime):
            chosen.before[name] = found
        else:
            chosen.image_ids += [each for each in found if each not in chosen.image_ids]
    return chosen


def _images(connection: Connection, name: str) -> list[int] | datetime:
    if match := re.fullmatch(r"portrait:(\d+)", name):
        query = sa.select(Portrait.image_id).where(Portrait.id == int(match[1]))
        image_id = connection.scalar(query)
        if image_id is None:
            raise PipelineError(f"no portrait {match[1]}; `dataengine list` shows their ids")
        return [image_id]
    if re.fullmatch(r"[0-9a-fA-F]{64}", name):
        return _by_digest(connection, name.lower(), name)
    path = Path(name)
    if path.is_file():
        _require_unchanged(connection, path, digest_of(path))
        return _by_digest(connection, digest_of(path), name)
    taken = sa.select(Source.image_id).where(Source.uri.in_(named_uris(name)))
    image_id = connection.scalar(taken.where(Source.image_id.is_not(None)))
    if image_id is None:
        raise PipelineError(
            f"{name}: no such file, and none was taken in from there; give a raw photo, a released "
            "image, its SHA-256, or portrait:ID"
        )
    return [image_id]


def _by_digest(connection: Connection, digest: str, name: str) -> list[int] | datetime:
    found = find(connection, digest, Path(name).stem)
    if found is None:
        raise PipelineError(f"{name}: no photo of this workspace has these bytes")
    if found.forgotten_at is not None:
        return found.forgotten_at
    if found.image_id is not None:
        return [found.image_id]
    query = sa.select(Portrait.image_id).distinct().where(Portrait.id.in_(found.portrait_ids))
    images = sorted(connection.scalars(query))
    if found.kind is Kind.MASK and len(images) > 1:
        raise PipelineError(
            f"{name}: {len(images)} photos have a mask of just these bytes; give the image instead"
        )
    return images


def _require_unchanged(connection: Connection, path: Path, digest: str) -> None:
    """A file that holds something else now would leave the photo that was meant."""
    query = (
        sa.select(Image.sha256)
        .join(Source, Source.image_id == Image.id)
        .where(Source.uri == file_uri(path))
    )
    ingested = connection.scalar(query)
    if ingested not in (None, digest):
        raise PipelineError(
            f"{path}: holds something else than when it was taken in; what was taken in then is "
            f"forgotten by `dataengine forget {ingested}`, what it holds now by its own SHA-256"
        )
