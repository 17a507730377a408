"""Relabelling for the engine: a mask, and its successor by a student."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import Job, Mask, MaskSource, Portrait, Stage, lock_rows
from pipelines.masks.agreement import difference
from pipelines.masks.judging import Look, PortraitInput, judge_probability, looks
from pipelines.networks import Teacher, load_network, parse_network
from pipelines.pictures.decode import decode
from pipelines.pictures.stored_masks import read_grey, read_mask
from pipelines.portraits.latest import latest_masks
from pipelines.portraits.revisions import portrait_input, stored_mask
from pipelines.portraits.rows import NewMask, PortraitRecord, portraits, save_mask
from pipelines.work.crew import limit_torch_threads
from pipelines.work.isolation import attempt, through
from pipelines.work.stage import StageWork
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings
from pipelines.workspace.settings_used import settings_id
from pipelines.workspace.workspace import Workspace
from sinet.json_text import from_json, to_json

_BATCH = 4


class Method(StrEnum):
    """Whose probability the new mask is made from."""

    STUDENT = "student"  # the student's alone
    MEAN = "mean"  # the mean of the teacher's and the student's


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a mask is to be followed: the argument of its job.

    Attributes:
        network: name of the student, to load it by.
        device: `auto`, `cpu` or `cuda`.
        method: whose probability the new mask is made from.
        student: its name as a producer; tells weights apart that came under one name.
    """

    network: str
    device: str
    method: Method
    student: str

    def argument(self) -> str:
        """In words of the queue."""
        return to_json(asdict(self))


@dataclass(frozen=True)
class Relabelled:
    """A portrait with a new mask revision.

    Attributes:
        portrait_id: which.
        change: share of the union of old and new mask that only one of them covers, 0..1.
        verdict: on the new mask.
    """

    portrait_id: int
    change: float
    verdict: str


Load = Callable[[str, str], Teacher]
"""Loads a network by its name for a device."""


def relabel_stages(workspace: Workspace, threads: int) -> tuple["RelabelWork"]:
    """The stages of one worker."""
    return (RelabelWork(workspace, partial(_loaded, workspace.settings, threads)),)


def stages_with(student: Teacher, workspace: Workspace, threads: int) -> tuple["RelabelWork"]:
    """The same in the process that has loaded the student, whatever name it goes by there."""

    def load(network: str, device: str) -> Teacher:
        return _loaded(workspace.settings, threads, network, device)

    return (RelabelWork(workspace, load, student),)


@dataclass(frozen=True, kw_only=True)
class Outdated:
    """A portrait's latest mask, to be followed by a new one.

    Attributes:
        portrait: whose it is.
        blob: store key of the mask.
        asked: of whom, and how.
        teacher: producer of `probability_blob`.
        probability_blob: store key of the teacher's probability; None: the student's alone.
    """

    portrait: PortraitRecord
    blob: str
    asked: Asked
    teacher: str | None
    probability_blob: str | None


@dataclass(frozen=True, kw_only=True)
class Successor:
    """A new mask, stored, and how far it is from the old one."""

    mask: NewMask
    change: float


class RelabelWork(StageWork[Outdated, Successor]):
    """Mask → its successor by a student; the job's argument says by which, and how."""

    stage = Stage.RELABEL
    batch_size = _BATCH

    def __init__(self, workspace: Workspace, load: Load, student: Teacher | None = None) -> None:
        self._store = workspace.store
        self._settings = workspace.settings
        self._settings_id = settings_id(workspace)
        self._load = load
        self._last = (student.name, student) if student else None

    def fetch(self, connection: Connection, jobs: Sequence[Job]) -> Mapping[int, Outdated]:
        """Masks that are still the latest."""
        asked = {job.item_id: Asked(**from_json(job.argument or "")) for job in jobs}
        columns = sa.select(Mask.id, Mask.portrait_id, Mask.blob)
        rows = connection.execute(columns.where(Mask.id.in_(list(asked)), latest_masks())).all()
        ids = [row.portrait_id for row in rows]
        records, of_teacher = portraits(connection, ids=ids), teachers(connection, ids)
        found = {}
        for row in rows:
            how = asked[row.id]
            teacher = of_teacher.get(row.portrait_id) if how.method == Method.MEAN else None
            if how.method == Method.MEAN and teacher is None:
                continue
            found[row.id] = Outdated(
                portrait=records[row.portrait_id],
                blob=row.blob,
                asked=how,
                teacher=None if teacher is None else teacher.producer,
                probability_blob=None if teacher is None else teacher.probability_blob,
            )
        return found

    def run(self, items: Sequence[Outdated]) -> list[Successor | ItemError]:
        """Ask the student, once for all that want the same of it; mix, judge and store."""
        found: dict[int, Successor | ItemError] = {}
        for (student, views), numbers in self._by_question(items).items():
            of_batch = through(
                [items[number] for number in numbers],
                partial(self._successors, self._student(student), views),
            )
            found.update(zip(numbers, of_batch, strict=True))
        return [found[number] for number in range(len(items))]

    def contended(self, item_id: int, out: Successor) -> int:
        """Revisions of a portrait's masks."""
        del item_id
        return out.mask.portrait_id

    def save(self, connection: Connection, item_id: int, out: Successor) -> Relabelled | None:
        """A revision, unless somebody else was quicker."""
        lock_rows(connection, Portrait, [out.mask.portrait_id])
        is_latest = sa.select(Mask.id).where(Mask.id == item_id, latest_masks())
        if connection.scalar(is_latest) is None:
            return None
        save_mask(connection, out.mask)
        return Relabelled(out.mask.portrait_id, out.change, str(out.mask.verdict))

    def _by_question(self, items: Sequence[Outdated]) -> dict[tuple[Asked, bool], list[int]]:
        """Numbers of the items by who is asked about them, and whether about other views, too."""
        questions: dict[tuple[Asked, bool], list[int]] = defaultdict(list)
        for number, item in enumerate(items):
            views = self._settings.teacher.views and item.probability_blob is None
            questions[item.asked, views].append(number)
        return questions

    def _successors(
        self, student: Teacher, views: bool, items: Sequence[Outdated]
    ) -> list[Successor | ItemError]:
        crops = [attempt(self._crop, item) for item in items]
        images = [crop[1] for crop in crops if not isinstance(crop, ItemError)]
        said = looks(images, student, views=views)
        return [
            crop
            if isinstance(crop, ItemError)
            else attempt(partial(self._successor, student, crop, next(said)), item)
            for item, crop in zip(items, crops, strict=True)
        ]

    def _crop(self, old: Outdated) -> tuple[PortraitInput, NDArray[np.uint8]]:
        item = portrait_input(self._store, old.portrait)
        return item, decode(item.jpeg, max_pixels=self._settings.decode.max_pixels).rgb

    def _successor(
        self,
        student: Teacher,
        crop: tuple[PortraitInput, NDArray[np.uint8]],
        look: Look,
        old: Outdated,
    ) -> Successor:
        item, rgb = crop
        if old.probability_blob is not None:  # nobody knows what the mean says of other views
            look = Look(_mean(look.probability, read_grey(self._store, old.probability_blob)))
        judged = judge_probability(item, rgb, look, self._settings)
        mask = stored_mask(
            self._store,
            old.portrait.portrait_id,
            judged,
            MaskSource.STUDENT,
            producer_of(student.name, old.teacher),
            self._settings_id,
        )
        change = difference(read_mask(self._store, old.blob), read_mask(self._store, mask.blob))
        return Successor(mask=mask, change=change)

    def _student(self, asked: Asked) -> Teacher:
        """The network; of two requests at once, whose jobs mix, the last one's is kept."""
        if self._last is None or self._last[0] != asked.student:
            self._last = (asked.student, self._load(asked.network, asked.device))
        return self._last[1]


def _loaded(settings: Settings, threads: int, network: str, device: str) -> Teacher:
    named = parse_network(network)
    student = load_network(named, device=device, threads=threads, settings=settings.teacher)
    limit_torch_threads(threads)
    return student


def producer_of(student: str, teacher: str | None) -> str:
    """Of a new mask: the student, or its mean with a teacher."""
    return student if teacher is None else f"mean of {teacher} and {student}"


def teachers(
    connection: Connection, portrait_ids: Sequence[int] | None = None
) -> "dict[int, sa.Row[int, str, str | None]]":
    """The last mask with a probability that a teacher made, by portrait."""
    query = sa.select(Mask.portrait_id, Mask.producer, Mask.probability_blob).where(
        Mask.source == MaskSource.TEACHER, Mask.probability_blob.is_not(None)
    )
    if portrait_ids is not None:
        query = query.where(Mask.portrait_id.in_(list(portrait_ids)))
    return {row.portrait_id: row for row in connection.execute(query.order_by(Mask.revision))}


def _mean(probability: NDArray[np.float32], stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean of a probability in [0, 1] and one stored as 0..255, both (H, W)."""
    return np.asarray((probability + stored.astype(np.float32) / 255) / 2, np.float32)
