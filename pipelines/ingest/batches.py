"""Running one claimed batch: fetch what its stage needs, run the stage, commit the outcome.

Blobs are written before the transaction that names them; everything else of a batch is one
transaction. An item that fails takes no neighbour with it.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.engine import Connection

from db import Job, LeaseLostError, MaskSource, Outcome, Stage, queue, reader
from pipelines.ingest import records
from pipelines.ingest.models import Models
from pipelines.ingest.pairs import read_mask
from pipelines.ingest.records import ImageFiles, ImportTask
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
from pipelines.portraits.forgotten import Watch
from pipelines.portraits.revisions import portrait_input, stored_mask
from pipelines.portraits.rows import NewMask, portraits, save_mask
from pipelines.workspace.errors import ItemError, PipelineError
from pipelines.workspace.settings_used import settings_id
from pipelines.workspace.store import BlobKind
from pipelines.workspace.uris import read_bytes, uri_path
from pipelines.workspace.workspace import Workspace

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class BatchRunner:
    """Runs batches of any stage in one workspace."""

    def __init__(self, workspace: Workspace, models: Models) -> None:
        """Remember where and with what.

        Args:
            workspace: this process's own.
            models: likewise.
        """
        self._workspace = workspace
        self._models = models
        self._settings = workspace.settings
        self._settings_id = settings_id(workspace)

    def run(self, jobs: Sequence[Job]) -> Tally:
        """Run one batch of jobs of one stage and commit what came of it.

        Returns:
            What was committed: nothing if the lease was lost, since others do the work then.

        Raises:
            PipelineError: models or blobs cannot be loaded or written: no item's fault.
        """
        handler = {
            Stage.READ: self._read,
            Stage.DETECT: self._detect,
            Stage.IMPORT: self._import,
            Stage.LABEL: self._label,
        }[jobs[0].stage]
        try:
            return handler(jobs)
        except LeaseLostError:
            with self._workspace.engine.begin() as connection:
                queue.release(connection, self._workspace.owner)
            return Tally()

    def _read(self, jobs: Sequence[Job]) -> Tally:
        with self._workspace.engine.begin() as connection:
            uris = records.sources(connection, [job.item_id for job in jobs])
        outcomes = [_attempt(self._content, uris[job.item_id]) for job in jobs]

        def save(connection: Connection, job: Job, content: FileContent, tally: Tally) -> None:
            if not records.save_content(connection, job.item_id, content):
                tally.duplicates += 1
                tally.files += 1

        return self._commit(jobs, outcomes, save)

    def _detect(self, jobs: Sequence[Job]) -> Tally:
        with self._workspace.engine.begin() as connection:
            images = records.image_files(connection, [job.item_id for job in jobs])
            watch = Watch(connection)
        files = [_attempt(self._bytes, images[job.item_id]) for job in jobs]
        detector = self._models.detector
        outcomes = _through(files, lambda batch: detect_portraits(batch, detector, self._settings))
        # Before anything of a copy is in the store.
        with reader(self._workspace.engine).begin() as connection:
            outcomes = [
                _unless_forgotten(found, watch, connection, images[job.item_id].sha256)
                for job, found in zip(jobs, outcomes, strict=True)
            ]
        blobs = {
            job.id: [self._workspace.store.put(BlobKind.PORTRAIT, p.jpeg) for p in found.portraits]
            for job, found in zip(jobs, outcomes, strict=True)
            if not isinstance(found, ItemError)
        }

        def save(connection: Connection, job: Job, found: DetectedImage, tally: Tally) -> None:
            # What was forgotten meanwhile.
            later = Watch(connection, after=watch.last_id)
            later.refuse(connection, images[job.item_id].sha256, found.descriptor)
            records.save_detection(
                connection, job.item_id, found, blobs[job.id], detector.name, self._settings_id
            )
            tally.files += 1
            tally.portraits += len(found.portraits)
            tally.no_face += found.outcome is Outcome.NO_FACE

        return self._commit(jobs, outcomes, save)

    def _import(self, jobs: Sequence[Job]) -> Tally:
        with self._workspace.engine.begin() as connection:
            tasks = records.import_tasks(connection, [job.item_id for job in jobs])
        outcomes = [_attempt(self._imported, tasks[job.item_id]) for job in jobs]

        def save(connection: Connection, _: Job, masks: list[NewMask], tally: Tally) -> None:
            for mask in masks:
                save_mask(connection, mask)
                tally.verdicts[mask.verdict] += 1

        return self._commit(jobs, outcomes, save)

    def _label(self, jobs: Sequence[Job]) -> Tally:
        with self._workspace.engine.begin() as connection:
            found = portraits(connection, ids=[job.item_id for job in jobs])
        inputs = [portrait_input(self._workspace.store, found[job.item_id]) for job in jobs]
        teacher, second = self._models.teacher, self._models.second_opinion
        judged = _through(
            inputs, lambda batch: label_portraits(batch, teacher, self._settings, second)
        )
        outcomes = [
            item
            if isinstance(item, ItemError)
            else self._stored(job.item_id, item, MaskSource.TEACHER, teacher.name)
            for job, item in zip(jobs, judged, strict=True)
        ]

        def save(connection: Connection, _: Job, mask: NewMask, tally: Tally) -> None:
            save_mask(connection, mask)
            tally.verdicts[mask.verdict] += 1

        return self._commit(jobs, outcomes, save)

    def _commit(
        self,
        jobs: Sequence[Job],
        outcomes: Sequence[_Out | ItemError],
        save: Callable[[Connection, Job, _Out, Tally], None],
    ) -> Tally:
        """Results, ends of jobs and next jobs, all or nothing."""
        tally, done, owner = Tally(), [], self._workspace.owner
        with self._workspace.engine.begin() as connection:
            for job, outcome in zip(jobs, outcomes, strict=True):
                failure = outcome if isinstance(outcome, ItemError) else None
                if not isinstance(outcome, ItemError):
                    try:
                        save(connection, job, outcome, tally)
                    except ItemError as error:  # what only the database knows
                        failure = error
                if failure is None:
                    done.append(job)
                    continue
                queue.fail(connection, job, owner, failure.reason, str(failure))
                tally.failures[failure.reason] += 1
                tally.files += job.stage in (Stage.READ, Stage.DETECT)
            queue.succeed(connection, done, owner)
        self._workspace.intents.settle()
        return tally

    def _content(self, uri: str) -> FileContent:
        return read_file(read_bytes(uri, max_bytes=self._settings.decode.max_bytes))

    def _bytes(self, image: ImageFiles) -> bytes:
        """The image's content from the first of its files that still has it."""
        failures: list[ItemError] = []
        for uri in image.uris:
            try:
                data = read_bytes(uri, max_bytes=self._settings.decode.max_bytes)
            except ItemError as error:
                failures.append(error)
                continue
            if hashlib.sha256(data).hexdigest() == image.sha256:
                return data
            failures.append(
                ItemError("changed", f"{uri_path(uri)}: changed after it was read; ingest it again")
            )
        raise failures[0]

    def _imported(self, task: ImportTask) -> list[NewMask]:
        data = read_mask(task.masks, task.claimed_for, self._settings.decode.max_bytes)
        inputs = [(portrait_input(self._workspace.store, p), p.crop_box) for p in task.portraits]
        masks = import_masks(data, task.size, inputs, self._settings)
        producer = f"import:{hashlib.sha256(data).hexdigest()[:16]}"
        return [
            self._stored(portrait.portrait_id, mask, MaskSource.IMPORT, producer)
            for portrait, mask in zip(task.portraits, masks, strict=True)
        ]

    def _stored(
        self, portrait_id: int, mask: JudgedMask, source: MaskSource, producer: str
    ) -> NewMask:
        store = self._workspace.store
        return stored_mask(store, portrait_id, mask, source, producer, self._settings_id)


def _attempt(work: Callable[[_In], _Out], item: _In) -> _Out | ItemError:
    """Run one item's work; whatever is its own fault becomes its error."""
    try:
        return work(item)
    except ItemError as error:
        return error
    except PipelineError:
        raise
    except Exception as error:  # an unforeseen failure of one item must not end the run
        return _unforeseen(error)


def _unless_forgotten(
    found: DetectedImage | ItemError, watch: Watch, connection: Connection, sha256: str
) -> DetectedImage | ItemError:
    """The same, or the error of a copy of a forgotten photo."""
    if isinstance(found, ItemError):
        return found
    try:
        watch.refuse(connection, sha256, found.descriptor)
    except ItemError as error:
        return error
    return found


def _through(
    items: Sequence[_In | ItemError],
    work: Callable[[Sequence[_In]], list[_Out | ItemError]],
) -> list[_Out | ItemError]:
    """Run a batch's work on the items that got this far; one by one if the batch fails."""
    ready = [item for item in items if not isinstance(item, ItemError)]
    try:
        done = iter(work(ready) if ready else [])
    except PipelineError:
        raise
    except Exception as error:  # find out whose fault it was
        if len(ready) == 1:
            done = iter([_unforeseen(error)])
        else:
            done = iter([_through([item], work)[0] for item in ready])
    return [item if isinstance(item, ItemError) else next(done) for item in items]


def _unforeseen(error: Exception) -> ItemError:
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    return ItemError("unexpected_error", f"unexpected {what}; please report it with the file")
