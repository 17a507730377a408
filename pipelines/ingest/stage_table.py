"""The stages of ingestion for the engine: what they read, run and write."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.engine import Connection

from db import Job, MaskSource, Outcome, Stage
from pipelines.ingest import records, source_records
from pipelines.ingest.detections import Detection, save_detections
from pipelines.ingest.models import Models
from pipelines.ingest.pairs import read_mask
from pipelines.ingest.records import ImageFiles, ImportTask
from pipelines.ingest.source_records import SourceFile
from pipelines.ingest.stages import (
    DetectedImage,
    FileContent,
    detect_portraits,
    import_masks,
    label_portraits,
    read_file,
)
from pipelines.ingest.tally import Tally
from pipelines.masks.judging import JudgedMask
from pipelines.masks.verdict import Reason
from pipelines.portraits.forgotten import Watch, admitted
from pipelines.portraits.revisions import portrait_input, stored_mask
from pipelines.portraits.rows import NewMask, PortraitRecord, portraits, save_masks
from pipelines.work.isolation import attempt, through
from pipelines.work.stage import StageWork, only
from pipelines.workspace.addresses import is_remote
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings_used import settings_id
from pipelines.workspace.sources import Sources
from pipelines.workspace.store import BlobKind
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace

STAGES = (Stage.LABEL, Stage.IMPORT, Stage.DETECT, Stage.READ)
"""In the order of preference: what is begun is finished before more is begun."""

_READ_BATCH = 64
_NOBODY = frozenset({Reason.EMPTY_MASK, Reason.FACE_OUTSIDE_MASK})


def ingest_stages(
    workspace: Workspace, threads: int
) -> "tuple[LabelWork, ImportWork, DetectWork, ReadWork]":
    """The stages of one worker, as `STAGES`."""
    models = Models(workspace.settings, threads)
    used = settings_id(workspace)
    return (
        LabelWork(workspace, models, used),
        ImportWork(workspace, models, used),
        DetectWork(workspace, models, used),
        ReadWork(workspace),
    )


class ReadWork(StageWork[SourceFile, FileContent]):
    """Source → its image."""

    stage = Stage.READ
    batch_size = _READ_BATCH

    def __init__(self, workspace: Workspace) -> None:
        self._sources = workspace.sources
        self._uris: dict[int, str] = {}
        self._waits = False

    @property
    def waits(self) -> bool:
        """Files that lie elsewhere are waited for."""
        return self._waits

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> dict[int, SourceFile]:
        """Files by source."""
        found = source_records.sources(connection, [job.item_id for job in jobs])
        self._uris = {key: file.uri for key, file in found.items()}
        self._waits = any(is_remote(uri) for uri in self._uris.values())
        return found

    def run(self, items: Sequence[SourceFile]) -> list[FileContent | ItemError]:
        """Hash files."""
        beside = {item.uri: item.beside for item in items}
        read = self._sources.read_many(
            list(beside),
            lambda uri, data: read_file(data, uri, self._sources, beside[uri]),
        )
        found = dict(zip(beside, read, strict=True))
        return [attempt(partial(_given, found), item.uri) for item in items]

    def contended(self, item_id: int, out: FileContent) -> str:
        """The image, which copies of the file have in common."""
        del item_id
        return out.sha256

    def save(self, connection: Connection, item_id: int, out: FileContent) -> object:
        """Link the source to its image; tells of copies."""
        return only(self.save_all(connection, [(item_id, out)]))

    def save_all(
        self, connection: Connection, outs: Sequence[tuple[int, FileContent]]
    ) -> list[object | ItemError]:
        """Likewise of many."""
        saved = records.save_contents(connection, dict(outs))
        return [
            is_new if isinstance(is_new, ItemError) else None if is_new else self._copied(item_id)
            for item_id, is_new in saved.items()
        ]

    def _copied(self, item_id: int) -> Tally:
        self._sources.drop(self._uris[item_id])  # nobody will search it
        return Tally(files=1, duplicates=1)


@dataclass(frozen=True)
class DetectTask:
    """An image, and what must not come back: forgotten photos, unless the operator let it in."""

    image: ImageFiles
    watch: Watch
    admitted: bool


@dataclass(frozen=True)
class StoredDetection:
    """What detection found, and the store keys of its portraits."""

    task: DetectTask
    found: DetectedImage
    blobs: list[str]
    detector: str


class SeeingWork:
    """What the stages share that see pictures."""

    def __init__(self, workspace: Workspace, models: Models, used: int) -> None:
        self._store, self._sources = workspace.store, workspace.sources
        self._settings = workspace.settings
        self._models = models
        self._settings_id = used

    @property
    def batch_size(self) -> int:
        """As many as the networks like."""
        return self._models.batch_size

    def _stored(
        self, portrait_id: int, mask: JudgedMask, source: MaskSource, producer: str
    ) -> NewMask:
        return stored_mask(self._store, portrait_id, mask, source, producer, self._settings_id)


class DetectWork(SeeingWork, StageWork[DetectTask, StoredDetection]):
    """Image → its portraits."""

    stage = Stage.DETECT

    def load(self) -> None:
        """The detector."""
        _ = self._models.detector

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, DetectTask]:
        """Where the images can be read, and what was forgotten."""
        images = records.image_files(connection, [job.item_id for job in jobs])
        watch = Watch(connection)
        let_in = admitted(connection, (image.sha256 for image in images.values()))
        return {
            item_id: DetectTask(image, watch, image.sha256 in let_in)
            for item_id, image in images.items()
        }

    def run(self, items: Sequence[DetectTask]) -> list[StoredDetection | ItemError]:
        """Decode, find faces, cut out portraits, store them."""
        read = partial(_bytes, self._sources)
        files = [attempt(read, task.image) for task in items]
        detector = self._models.detector
        found = through(
            files,
            lambda batch: detect_portraits(
                batch, detector, self._settings, self._models.decoding_threads
            ),
        )
        return [
            each
            if isinstance(each, ItemError)
            else attempt(partial(self._stored_detection, task), each)
            for task, each in zip(items, found, strict=True)
        ]

    def contended(self, item_id: int, out: StoredDetection) -> str:
        """The image, as reading does."""
        del item_id
        return out.task.image.sha256

    def save(self, connection: Connection, item_id: int, out: StoredDetection) -> object:
        """Faces, portraits, and the request for masks."""
        return only(self.save_all(connection, [(item_id, out)]))

    def save_all(
        self, connection: Connection, outs: Sequence[tuple[int, StoredDetection]]
    ) -> list[object | ItemError]:
        """Likewise of many."""
        # What was forgotten meanwhile.
        seen = min((out.task.watch.last_id for _, out in outs), default=0)
        later = Watch(connection, after=seen)
        let_in = admitted(connection, (out.task.image.sha256 for _, out in outs))
        told: list[object | ItemError] = []
        kept = {}
        for item_id, out in outs:
            sha256 = out.task.image.sha256
            try:
                later.refuse(sha256, out.found.descriptor, admitted=sha256 in let_in)
            except ItemError as error:
                told.append(error)
                continue
            kept[item_id] = Detection(out.found, out.blobs, out.detector)
            told.append(
                Tally(
                    files=1,
                    portraits=len(out.found.portraits),
                    no_face=int(out.found.outcome is Outcome.NO_FACE),
                )
            )
        save_detections(connection, kept, self._settings_id)
        return told

    def _stored_detection(self, task: DetectTask, found: DetectedImage) -> StoredDetection:
        # Before anything of a copy is in the store.
        task.watch.refuse(task.image.sha256, found.descriptor, admitted=task.admitted)
        blobs = [self._store.put(BlobKind.PORTRAIT, crop.jpeg) for crop in found.portraits]
        return StoredDetection(task, found, blobs, self._models.detector.name)


@dataclass(frozen=True)
class StoredImport:
    """Masks that came with an image, and how their file was read."""

    masks: list[NewMask]
    how: str


class ImportWork(SeeingWork, StageWork[ImportTask, StoredImport]):
    """Image whose mask came with it → masks of its portraits."""

    stage = Stage.IMPORT

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, ImportTask]:
        """Masks' URIs and portraits."""
        return records.import_tasks(connection, [job.item_id for job in jobs])

    def run(self, items: Sequence[ImportTask]) -> list[StoredImport | ItemError]:
        """Cut the masks down to the portraits, judge and store them."""
        return [attempt(self._imported, task) for task in items]

    def contended(self, item_id: int, out: StoredImport) -> int:
        """Revisions of a portrait's masks, as labelling does."""
        return out.masks[0].portrait_id if out.masks else item_id

    def save(self, connection: Connection, item_id: int, out: StoredImport) -> Tally:
        """A revision a portrait."""
        save_masks(connection, out.masks)
        verdicts = Counter(mask.verdict for mask in out.masks)
        return Tally(verdicts=verdicts, masks_read=Counter([out.how]))

    def _imported(self, task: ImportTask) -> StoredImport:
        max_bytes = self._settings.decode.max_bytes
        data = read_mask(task.masks, task.claimed_for, max_bytes)
        inputs = [(portrait_input(self._store, each), each.crop) for each in task.portraits]
        photo = _bytes(self._sources, task.image)
        try:
            read = import_masks(data, photo, task.size, inputs, self._settings)
        except ItemError as error:
            path = next((uri_path(each.uri) for each in task.masks if each.uri), "the mask")
            raise ItemError(error.reason, f"{path}: {error}") from error
        # How it was read stays with the mask, for `explain` and releases.
        producer = f"import:{hashlib.sha256(data).hexdigest()[:16]} ({read.how})"
        return StoredImport(
            [
                self._stored(portrait.portrait_id, mask, MaskSource.IMPORT, producer)
                for portrait, mask in zip(task.portraits, read.masks, strict=True)
            ],
            read.how,
        )


class LabelWork(SeeingWork, StageWork[PortraitRecord, NewMask]):
    """Portrait → the teacher's mask."""

    stage = Stage.LABEL

    def load(self) -> None:
        """The teacher, and whoever is asked beside it."""
        _ = self._models.teacher, self._models.second_opinion

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, PortraitRecord]:
        """The portraits."""
        return portraits(connection, ids=[job.item_id for job in jobs])

    def run(self, items: Sequence[PortraitRecord]) -> list[NewMask | ItemError]:
        """Predict, judge and store."""
        inputs = [portrait_input(self._store, each) for each in items]
        teacher, second = self._models.teacher, self._models.second_opinion
        judged = through(
            inputs,
            lambda batch: label_portraits(
                batch, teacher, self._settings, second, self._models.decoding_threads
            ),
        )
        return [
            mask
            if isinstance(mask, ItemError)
            else self._stored(portrait.portrait_id, mask, MaskSource.TEACHER, teacher.name)
            for portrait, mask in zip(items, judged, strict=True)
        ]

    def save(self, connection: Connection, item_id: int, out: NewMask) -> object:
        """A revision."""
        return only(self.save_all(connection, [(item_id, out)]))

    def save_all(
        self, connection: Connection, outs: Sequence[tuple[int, NewMask]]
    ) -> list[object | ItemError]:
        """Likewise of many."""
        masks = [out for _, out in outs]
        save_masks(connection, masks)
        return [_told_of(mask) for mask in masks]


def _told_of(mask: NewMask) -> Tally:
    empty = not _NOBODY.isdisjoint(mask.reasons)
    return Tally(verdicts=Counter([mask.verdict]), labelled=1, empty=int(empty))


def _given(found: Mapping[str, FileContent | Exception], uri: str) -> FileContent:
    """What came of a file, raised if it is an error."""
    content = found[uri]
    if isinstance(content, Exception):
        raise content
    return content


def _bytes(sources: Sources, image: ImageFiles) -> bytes:
    """The image's content from the first of its files that still has it."""
    failures: list[ItemError] = []
    for uri in image.uris:
        try:
            data = sources.read_again(uri)
        except ItemError as error:
            failures.append(error)
            continue
        if hashlib.sha256(data).hexdigest() == image.sha256:
            return data
        failures.append(
            ItemError("changed", f"{uri_path(uri)}: changed after it was read; ingest it again")
        )
    raise failures[0]
