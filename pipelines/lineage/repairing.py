"""Blobs that are missing or damaged, made again from what they were made of.

A blob's key is the hash of its content, so whatever is made again is either the very same or of no
use: other versions of libraries, or another processor, may round another way. What only people or
chance knew is named: a backup may have it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db import Honeypot, Image, Mask, MaskSource, Portrait, Run, SettingsUsed, Source, reader
from pipelines.ingest.stages import import_masks, label_portraits
from pipelines.lineage.report import Report
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.masks.judging import JudgedMask
from pipelines.networks import Teacher, load_network, load_teacher
from pipelines.pictures.decode import decode, encode_jpeg
from pipelines.pictures.rotation import Crop
from pipelines.portraits.revisions import portrait_input
from pipelines.portraits.rows import portraits
from pipelines.workspace.errors import ItemError, PipelineError
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.settings import Settings, TeacherSettings
from pipelines.workspace.store import BlobKind, blob_key
from pipelines.workspace.workspace import Workspace
from sinet.network_ref import as_ref
from sinet.run_files import WEIGHTS_FILE


class _CannotError(Exception):
    """Why a blob cannot be made again."""


def repair_workspace(workspace: Workspace, progress: Progress = SILENT) -> Report:
    """Make blobs again that are missing or damaged, and check everything once more.

    Args:
        workspace: opened to write.
        progress: told of everything that is checked, and of every blob that is made again.

    Returns:
        As `verify_workspace`; a blob that cannot be made again says why.

    Raises:
        WorkspaceError: a blob cannot be written.
    """
    before = verify_workspace(workspace, VerifyRequest(), progress)
    broken = before.broken_blobs
    if not broken:
        return before
    told = make_again(workspace, broken, progress)
    report = verify_workspace(workspace, VerifyRequest(), progress)
    report.repaired = sum(why is None for why in told.values())
    report.problems = [
        replace(each, message=f"{each.message}; cannot be made again: {why}")
        if (why := told.get(each.what)) is not None
        else each
        for each in report.problems
    ]
    return report


def make_again(
    workspace: Workspace, keys: Sequence[str], progress: Progress = SILENT
) -> dict[str, str | None]:
    """Make blobs again, crops first, since masks are made of them.

    Args:
        workspace: opened to write.
        keys: of blobs that are missing or damaged.
        progress: told of each.

    Returns:
        By key why it could not be made again; None: it is there again.

    Raises:
        WorkspaceError: a blob cannot be written.
    """
    kinds = list(BlobKind)
    ordered = sorted(set(keys), key=lambda key: (kinds.index(BlobKind(key.split("/")[0])), key))
    maker = _Maker(workspace)
    return {key: maker.make(key) for key in tracked(progress, ordered, "making again", "blobs")}


@contextmanager
def _problems() -> Iterator[None]:
    """What an item lacks is why its blob cannot be made again."""
    try:
        yield
    except PipelineError as error:
        raise _CannotError(str(error)) from error


class _Maker:
    """Makes blobs again; networks are loaded once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._teachers: dict[str, Teacher | None] = {}

    def make(self, key: str) -> str | None:
        """Make one again; why not, if it cannot be."""
        try:
            made = self._crop(key) if key.startswith(BlobKind.PORTRAIT) else self._of_masks(key)
        except _CannotError as error:
            return str(error)
        for kind, data in made:
            if blob_key(kind, hashlib.sha256(data).hexdigest()) == key:
                self._workspace.store.put(kind, data, anew=True)
                return None
        return (
            "what it was made of is there, but gives other bytes here: other versions of "
            "libraries, or another processor"
        )

    def _crop(self, key: str) -> list[tuple[BlobKind, bytes]]:
        query = sa.select(
            Portrait.image_id, Portrait.crop_box, Portrait.rotation, Portrait.settings_id
        )
        with reader(self._workspace.engine).begin() as connection:
            rows = connection.execute(query.where(Portrait.blob == key)).all()
        made = []
        for row in rows:
            settings = self._settings(row.settings_id)
            decoded = decode(
                self._photo(row.image_id),
                max_pixels=settings.decode.max_pixels,
                max_memory_bytes=settings.decode.max_memory_bytes,
            )
            x0, y0, x1, y1 = row.crop_box
            crop = Crop((x0, y0, x1, y1), row.rotation).cut(decoded.rgb)
            made.append((BlobKind.PORTRAIT, encode_jpeg(crop, settings.portrait.jpeg_quality)))
        return made

    def _of_masks(self, key: str) -> list[tuple[BlobKind, bytes]]:
        query = sa.select(Mask.__table__).where(
            sa.or_(Mask.blob == key, Mask.probability_blob == key)
        )
        with reader(self._workspace.engine).begin() as connection:
            rows = connection.execute(query.order_by(Mask.id)).all()
            shown = connection.scalar(sa.select(Honeypot.id).where(Honeypot.shown_blob == key))
        if not rows and shown is not None:
            raise _CannotError("it was spoilt by chance, to test reviewers: only a backup has it")
        made: list[tuple[BlobKind, bytes]] = []
        problems = []
        for row in rows:
            try:
                mask = self._mask(row)
            except _CannotError as error:
                problems.append(str(error))
                continue
            made.append((BlobKind.MASK, mask.png))
            if mask.probability_png is not None:
                made.append((BlobKind.PROBABILITY, mask.probability_png))
        if problems and not made:
            raise _CannotError(problems[0])
        return made

    def _mask(self, row: Any) -> JudgedMask:
        if row.source is MaskSource.HUMAN:
            raise _CannotError(f"{row.producer} drew it: only a backup has it")
        settings = self._settings(row.settings_id)
        if row.source is MaskSource.IMPORT:
            return self._imported(row.portrait_id, row.producer, settings)
        with reader(self._workspace.engine).begin() as connection:
            portrait = portraits(connection, ids=[row.portrait_id])[row.portrait_id]
        teacher = self._teacher(row.producer, settings.teacher)
        with _problems():
            item = portrait_input(self._workspace.store, portrait)
            (judged,) = label_portraits([item], teacher, settings)
            if isinstance(judged, ItemError):
                raise judged
            return judged

    def _imported(self, portrait_id: int, producer: str, settings: Settings) -> JudgedMask:
        query = (
            sa.select(Image.id, Image.width, Image.height, Source.import_mask_uri)
            .join(Portrait, Portrait.image_id == Image.id)
            .join(Source, Source.image_id == Image.id)
            .where(Portrait.id == portrait_id, Source.import_mask_uri.is_not(None))
        )
        with reader(self._workspace.engine).begin() as connection:
            found = connection.execute(query.order_by(Source.id)).all()
        for image_id, width, height, uri in found:
            data = self._read(str(uri))
            if data is None or width is None or height is None:
                continue
            if not producer.startswith(f"import:{hashlib.sha256(data).hexdigest()[:16]}"):
                continue
            photo = self._photo(image_id)
            with reader(self._workspace.engine).begin() as connection:
                records = portraits(connection, image_id=image_id)
            with _problems():
                store = self._workspace.store
                inputs = [(portrait_input(store, each), each.crop) for each in records.values()]
                read = import_masks(data, photo, (width, height), inputs, settings)
            return read.masks[list(records).index(portrait_id)]
        raise _CannotError("the imported mask is not where it was, or has changed since")

    def _teacher(self, producer: str, settings: TeacherSettings) -> Teacher:
        """The network that a mask names: the settings' own, or a student of this workspace."""
        if producer not in self._teachers:
            self._teachers[producer] = self._load(producer, settings)
        found = self._teachers[producer]
        if found is None and producer.startswith("mean of "):
            raise _CannotError(f"it is the {producer}: only a backup has it")
        if found is None:
            raise _CannotError(f"the network {producer} is not here any more")
        return found

    def _load(self, producer: str, settings: TeacherSettings) -> Teacher | None:
        device = self._workspace.settings.engine.device
        for file in [None, *self._students()]:
            try:
                teacher = (
                    load_teacher(settings, device)
                    if file is None
                    else load_network(as_ref(file), device=device)
                )
            except PipelineError:
                continue
            if teacher.name == producer:
                return teacher
        return None

    def _students(self) -> list[Path]:
        with reader(self._workspace.engine).begin() as connection:
            folders = connection.scalars(sa.select(Run.folder).order_by(Run.id.desc()))
            files = [self._workspace.paths.root / folder / WEIGHTS_FILE for folder in folders]
        return [file for file in files if file.is_file()]

    def _settings(self, settings_id: int | None) -> Settings:
        """Those that a row was made with; today's where that was not recorded."""
        today = self._workspace.settings
        if settings_id is None:
            return today
        query = sa.select(SettingsUsed.settings).where(SettingsUsed.id == settings_id)
        with reader(self._workspace.engine).begin() as connection:
            used = connection.scalars(query).one()
        return Settings.model_validate({**today.model_dump(mode="json"), **used})

    def _photo(self, image_id: int) -> bytes:
        query = sa.select(Source.uri, Image.sha256).join(Image, Image.id == Source.image_id)
        with reader(self._workspace.engine).begin() as connection:
            found = connection.execute(query.where(Image.id == image_id).order_by(Source.id)).all()
        for uri, sha256 in found:
            data = self._read(uri)
            if data is not None and hashlib.sha256(data).hexdigest() == sha256:
                return data
        raise _CannotError("the photo is not where it was, or has changed since")

    def _read(self, uri: str) -> bytes | None:
        try:
            return self._workspace.sources.read(uri)
        except PipelineError:
            return None
