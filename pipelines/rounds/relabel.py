"""New masks by a student for portraits that still need one: rejected, or never reviewed."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from db import Decision, Mask, MaskSource, reader
from pipelines.masks.agreement import difference
from pipelines.masks.judging import Look, judge_probability, looks
from pipelines.networks import NetworkRef, Teacher, load_network
from pipelines.networks.current import require_student
from pipelines.pictures.decode import decode
from pipelines.pictures.stored_masks import read_grey, read_mask
from pipelines.portraits.decisions import majority, votes
from pipelines.portraits.revisions import portrait_input, stored_mask
from pipelines.portraits.rows import latest_masks, portraits, save_mask
from pipelines.portraits.standing import MinSource, standings
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.settings_used import settings_id
from pipelines.workspace.workspace import Workspace


class Method(StrEnum):
    """Whose probability the new mask is made from."""

    STUDENT = "student"  # the student's alone
    MEAN = "mean"  # the mean of the teacher's and the student's


@dataclass(frozen=True, kw_only=True)
class RelabelRequest:
    """Whom to ask.

    Attributes:
        round: its student, promoted or not; None: the current student.
        network: instead of a student; None: a student.
        method: whose probability the new masks are made from.
        device: `auto`, `cpu` or `cuda`.
    """

    round: int | None = None
    network: NetworkRef | None = None
    method: Method = Method.MEAN
    device: str = "auto"


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


@dataclass(frozen=True)
class Outdated:
    """A portrait's latest mask, to be followed by a new one.

    Attributes:
        mask_id: of it.
        portrait_id: whose.
        blob: store key of it.
        producer: of the new mask.
        probability_blob: store key of the teacher's probability; None: the student's alone.
    """

    mask_id: int
    portrait_id: int
    blob: str
    producer: str
    probability_blob: str | None


def outdated(workspace: Workspace, student: str, method: Method) -> list[Outdated]:
    """Portraits that want a new mask by a student, by id.

    Those without a trusted mask whose latest is a network's that nobody has decided about, or any
    but a person's drawing that people rejected. What this student has labelled is not among them,
    so that going on after an interruption does nothing twice; with the mean, nor is what no
    teacher has labelled.

    Args:
        workspace: opened.
        student: name of it, as a producer.
        method: how the new mask is to be made.
    """
    columns = sa.select(
        Mask.id, Mask.portrait_id, Mask.source, Mask.producer, Mask.blob, Mask.probability_blob
    )
    with reader(workspace.engine).begin() as connection:
        latest = connection.execute(columns.where(latest_masks()).order_by(Mask.portrait_id)).all()
        of_teacher = {
            row.portrait_id: row
            for row in connection.execute(
                columns.where(
                    Mask.source == MaskSource.TEACHER, Mask.probability_blob.is_not(None)
                ).order_by(Mask.revision)
            )
        }
        found, cast = standings(connection, MinSource.CERTIFIED), votes(connection)
    wanted = []
    for row in latest:
        of_mask = cast.get(row.id, [])
        is_rejected = bool(of_mask) and (
            majority(vote.decision for vote in of_mask) is Decision.REJECT
        )
        is_unseen = not of_mask and row.source in (MaskSource.TEACHER, MaskSource.STUDENT)
        if found[row.portrait_id].trusted or not (is_rejected or is_unseen):
            continue
        teacher = of_teacher.get(row.portrait_id)
        if row.source is MaskSource.HUMAN or (method is Method.MEAN and teacher is None):
            continue
        producer, probability = student, None
        if method is Method.MEAN and teacher is not None:
            producer = f"mean of {teacher.producer} and {student}"
            probability = teacher.probability_blob
        if row.producer != producer:
            wanted.append(Outdated(row.id, row.portrait_id, row.blob, producer, probability))
    return wanted


def relabel(
    workspace: Workspace, student: Teacher, portraits_to_do: list[Outdated]
) -> Iterator[Relabelled]:
    """Give portraits a new mask revision each.

    Args:
        workspace: opened.
        student: the network.
        portraits_to_do: as `outdated` found them, for this student.

    Yields:
        Each portrait once its new revision is committed; those that got another mask meanwhile
        are left out.

    Raises:
        WorkspaceError: a blob is missing or damaged, or cannot be written.
    """
    used = settings_id(workspace)
    for old in portraits_to_do:
        with reader(workspace.engine).begin() as connection:
            record = portraits(connection, ids=[old.portrait_id])[old.portrait_id]
        item = portrait_input(workspace.store, record)
        rgb = decode(item.jpeg, max_pixels=workspace.settings.decode.max_pixels).rgb
        mixes = old.probability_blob is not None
        (look,) = looks([rgb], student, views=workspace.settings.teacher.views and not mixes)
        if old.probability_blob is not None:  # nobody knows what the mean says of other views
            look = Look(_mean(look.probability, read_grey(workspace.store, old.probability_blob)))
        judged = judge_probability(item, rgb, look, workspace.settings)
        mask = stored_mask(
            workspace.store, old.portrait_id, judged, MaskSource.STUDENT, old.producer, used
        )
        with workspace.engine.begin() as connection:
            if not _is_latest(connection, old.mask_id):
                continue  # somebody else was quicker
            save_mask(connection, mask)
        before = read_mask(workspace.store, old.blob)
        change = difference(before, read_mask(workspace.store, mask.blob))
        yield Relabelled(old.portrait_id, change, str(judged.verdict))


def _mean(probability: NDArray[np.float32], stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean of a probability in [0, 1] and one stored as 0..255, both (H, W)."""
    return np.asarray((probability + stored.astype(np.float32) / 255) / 2, np.float32)


def _is_latest(connection: sa.Connection, mask_id: int) -> bool:
    return (
        connection.scalar(sa.select(Mask.id).where(Mask.id == mask_id, latest_masks())) is not None
    )


@dataclass(frozen=True)
class RelabelResult:
    """What was done.

    Attributes:
        round: of the student; None: it was another network.
        student: who was asked, as a producer of masks.
        method: whose probability the new masks are made from.
        relabelled: portraits with a new mask.
    """

    round: int | None
    student: str
    method: Method
    relabelled: list[Relabelled]

    @property
    def verdicts(self) -> Counter[str]:
        """On the new masks."""
        return Counter(each.verdict for each in self.relabelled)

    @property
    def median_change(self) -> float | None:
        """Of the masks; None where nothing was done."""
        changes = [each.change for each in self.relabelled]
        return median(changes) if changes else None


def relabel_portraits(
    workspace: Workspace, request: RelabelRequest, progress: Progress = SILENT
) -> RelabelResult:
    """Let a student propose new masks where the old one was rejected or never reviewed.

    Args:
        workspace: opened.
        request: whom to ask.
        progress: told of every portrait.

    Raises:
        ModelError: there is no such student, or it cannot be loaded.
        WorkspaceError: a blob is missing or damaged, or cannot be written.
    """
    number, network = None, request.network
    if network is None:
        found = require_student(workspace, request.round)
        number, network = found.round, found.network
    student = load_network(network, device=request.device, threads=os.cpu_count() or 1)
    todo = outdated(workspace, student.name, request.method)
    new = relabel(workspace, student, todo)
    done = list(tracked(progress, new, "relabelling", "portraits", len(todo)))
    return RelabelResult(number, student.name, request.method, done)
