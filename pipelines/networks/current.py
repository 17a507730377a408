"""The current student: the last one that was promoted."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db import Release, Run, reader
from pipelines.networks.names import CURRENT, NOBODY, parse_network, second_opinion
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace
from sinet.network_ref import NetworkRef, as_ref, mean_of
from sinet.run_files import WEIGHTS_FILE


@dataclass(frozen=True)
class Student:
    """A student of this workspace.

    Attributes:
        run_id: of its run.
        round: that it was trained in.
        weights: its checkpoint.
        sha256: of that file.
    """

    run_id: int
    round: int
    weights: Path
    sha256: str

    @property
    def network(self) -> NetworkRef:
        """By which `load_network` knows it."""
        return as_ref(self.weights)


def current_student(workspace: Workspace, round_number: int | None = None) -> Student | None:
    """The student that was promoted last, maybe the last of one round; None: there is none."""
    query = (
        sa.select(Run.id, Release.round, Run.folder, Run.checkpoint_sha256)
        .join(Release, Release.id == Run.release_id)
        .where(Run.checkpoint_sha256.is_not(None))
    )
    if round_number is None:
        query = query.where(Run.promotion.is_not(None)).order_by(Run.promotion.desc())
    else:
        # Of a round asked for by number, the last run counts, promoted or not.
        query = query.where(Release.round == round_number)
    with reader(workspace.engine).begin() as connection:
        row = connection.execute(query.order_by(Run.id.desc()).limit(1)).first()
    if row is None:
        return None
    weights = workspace.paths.root / row.folder / WEIGHTS_FILE
    return Student(row.id, row.round, weights, row.checkpoint_sha256)


def require_student(workspace: Workspace, round_number: int | None = None) -> Student:
    """As `current_student`.

    Raises:
        ModelError: there is none, or its file is gone.
    """
    student = current_student(workspace, round_number)
    if student is None:
        raise ModelError(f"{workspace.paths.root}: {_why_there_is_none(workspace, round_number)}")
    if not student.weights.is_file():
        raise ModelError(f"{student.weights}: the student's weights are gone; restore them")
    return student


def resolve(workspace: Workspace, network: NetworkRef) -> NetworkRef:
    """Return what a name stands for: `sinet:current` as the checkpoint that it is now.

    Raises:
        ModelError: there is no current student, or its file is gone.
    """
    return mean_of(
        [
            replace(require_student(workspace).network, views=each.views)
            if each.name == CURRENT
            else each
            for each in network.each
        ]
    )


def resolve_settings(workspace: Workspace) -> Settings:
    """The workspace's settings, every `sinet:current` in them put into words.

    Raises:
        ModelError: as `resolve`, or an unknown name.
    """
    settings = workspace.settings
    teacher = settings.teacher
    second = second_opinion(teacher)
    names = {
        "name": str(resolve(workspace, parse_network(teacher.name))),
        "second_opinion": NOBODY if second is None else str(resolve(workspace, second)),
    }
    teacher = teacher.model_copy(update=names)
    return settings.model_copy(update={"teacher": teacher})


def _why_there_is_none(workspace: Workspace, round_number: int | None) -> str:
    """What to do for a student: train one, or promote the one that was trained."""
    latest = None if round_number else _latest_run(workspace)
    if latest is None:
        which = "" if round_number is None else f" of round {round_number}"
        return (
            f"there is no promoted student{which} yet; `dataengine train --round "
            f"{round_number or 1}` trains one, `dataengine rounds` shows them"
        )
    number, folder, gate = latest
    return (
        f"the student of round {number} was trained but not promoted "
        f"({gate.get('message', 'not measured')}); promote it with `dataengine train --round "
        f"{number} --force`, or name its weights, "
        f"sinet:{workspace.paths.root / folder / WEIGHTS_FILE}"
    )


def _latest_run(workspace: Workspace) -> tuple[int, str, dict[str, Any]] | None:
    """Round, folder and gate of the last run that was measured."""
    query = (
        sa.select(Release.round, Run.folder, Run.gate)
        .join(Release, Release.id == Run.release_id)
        .where(Run.checkpoint_sha256.is_not(None))
        .order_by(Run.id.desc())
        .limit(1)
    )
    with reader(workspace.engine).begin() as connection:
        row = connection.execute(query).first()
    return None if row is None else (row.round, row.folder, row.gate or {})
