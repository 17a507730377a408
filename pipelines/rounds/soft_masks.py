"""What a teacher says of a run's pictures: work of the queue like any other.

The masks are files of the run, from which the training reads; so the files say what is done, and
the queue, which lies beside them until it is empty, only who is at it and what has failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Job, JobRow, JobState, Stage, queue
from pipelines.networks import NetworkRef, Teacher, load_network
from pipelines.rounds.run_queue import RunQueue, remove_leftovers
from pipelines.work.crew import Crew, crew, limit_torch_threads
from pipelines.work.isolation import attempt
from pipelines.work.pool import work_through
from pipelines.work.stage import Committed, StageWork
from pipelines.workspace.errors import ItemError, PipelineError
from pipelines.workspace.progress import Progress
from pipelines.workspace.settings import Settings, TeacherSettings
from sinet.data import Sample
from sinet.devices import choose_device
from sinet.errors import PictureError, SINetError
from sinet.training import write_soft_masks

_BATCH = 8
# A picture takes a teacher some tenths of a second; a process starts in some seconds.
_WORTH_A_PROCESS = 16


@dataclass(frozen=True, kw_only=True)
class Consultation:
    """A teacher, and what it is asked about.

    Attributes:
        samples: all pictures of the run.
        teacher: resolved; or several, as their mean.
        device: `auto`, `cpu` or `cuda`.
        folder: of the masks.
    """

    samples: Sequence[Sample]
    teacher: NetworkRef
    device: str
    folder: Path


def consult(consultation: Consultation, run: Path, settings: Settings, progress: Progress) -> bool:
    """Let a teacher look at the pictures that it has not seen yet; False if it was stopped.

    Args:
        consultation: who is asked about what.
        run: folder of the run.
        settings: those of the engine hold.
        progress: told of every picture.

    Raises:
        PipelineError: the teacher cannot be loaded, or pictures cannot be read.
    """
    samples = consultation.samples
    missing = [
        number
        for number, sample in enumerate(samples)
        if not (consultation.folder / f"{sample.name}.png").exists()
    ]
    progress.begin(
        f"asking {consultation.teacher.label}",
        len(samples),
        "images",
        done=len(samples) - len(missing),
    )
    if not missing:
        remove_leftovers(run)
        return True
    place = RunQueue(run, settings)
    try:
        _work(place, consultation, missing, progress)
        failed = _failures(place)
    except BaseException:
        place.close()
        raise
    if failed or progress.stopping():
        place.close()
    else:
        place.remove()
    if failed:
        raise PipelineError(
            f"{len(failed)} of {len(samples)} pictures cannot be learnt from; the first: "
            f"{failed[0]}"
        )
    return not progress.stopping()


def _work(
    place: RunQueue, consultation: Consultation, missing: Sequence[int], progress: Progress
) -> None:
    def report(batch: Committed) -> None:
        progress.advance(batch.done)

    place.clear_up_after_the_dead()
    with place.engine.begin() as connection:
        # By number: the pictures of the folder may have changed since.
        queue.withdraw(connection, Stage.SOFT_MASK, but=missing)
        queue.ask(connection, Stage.SOFT_MASK, missing, None, retry=True)
    who = crew(place.settings.engine, len(missing), _WORTH_A_PROCESS)
    if choose_device(consultation.device) != "cpu":  # one network serves all
        who = Crew(0, who.threads)
    table = partial(soft_mask_stages, consultation)
    work_through(place, table, who, progress.stopping, report)


def _failures(place: RunQueue) -> list[str]:
    failed = sa.select(JobRow.error).where(JobRow.state == JobState.FAILED)
    with place.engine.begin() as connection:
        return [str(error) for error in connection.scalars(failed.order_by(JobRow.item_id))]


def soft_mask_stages(
    consultation: Consultation, place: RunQueue, threads: int
) -> tuple["SoftMaskWork"]:
    """The stages of one worker."""
    return (SoftMaskWork(consultation, place.settings.teacher, threads),)


class SoftMaskWork(StageWork[Sample, None]):
    """Picture of a run → the teacher's mask, a file."""

    stage = Stage.SOFT_MASK
    batch_size = _BATCH

    def __init__(self, consultation: Consultation, settings: TeacherSettings, threads: int) -> None:
        self._consultation = consultation
        self._settings = settings
        self._threads = threads
        self._teacher: Teacher | None = None

    def load(self) -> None:
        """The teacher."""
        self._loaded()

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, Sample]:
        """The pictures by number."""
        return {job.item_id: self._consultation.samples[job.item_id] for job in jobs}

    def run(self, items: Sequence[Sample]) -> list[ItemError | None]:
        """Ask, and write the file: whole or not at all."""
        return [attempt(self._write, sample) for sample in items]

    def save(self, connection: Connection, item_id: int, out: None) -> None:
        """The file is all there is."""

    def _write(self, sample: Sample) -> None:
        teacher = self._loaded()
        try:
            write_soft_masks(
                [sample],
                lambda image: teacher.person_probability([image])[0],
                self._consultation.folder,
            )
        except PictureError as error:
            raise ItemError(error.reason, str(error)) from error
        except SINetError as error:
            raise ItemError("unreadable", str(error)) from error

    def _loaded(self) -> Teacher:
        if self._teacher is None:
            asked = self._consultation
            self._teacher = load_network(
                asked.teacher,
                device=asked.device,
                threads=self._threads,
                settings=self._settings,
            )
            limit_torch_threads(self._threads)
        return self._teacher
