"""The current student: the last one that was promoted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from db import Release, Run, reader
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace
from sinet.training.run import WEIGHTS_FILE

CURRENT: Final = "sinet:current"
"""Name of the current student wherever a teacher or a checkpoint goes."""


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
    def teacher_name(self) -> str:
        """By which `load_teacher` knows it."""
        return f"sinet:{self.weights}"


def current_student(workspace: Workspace, round_number: int | None = None) -> Student | None:
    """The student that was promoted last, maybe the last of one round; None: there is none."""
    query = (
        sa.select(Run.id, Release.round, Run.folder, Run.checkpoint_sha256)
        .join(Release, Release.id == Run.release_id)
        .where(Run.checkpoint_sha256.is_not(None))
    )
    if round_number is None:
        query = query.where(Run.promoted_at.is_not(None)).order_by(Run.promoted_at.desc())
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
        which = "" if round_number is None else f" of round {round_number}"
        raise ModelError(
            f"{workspace.paths.root}: there is no promoted student{which} yet; `dataengine train "
            f"--round {round_number or 1}` trains one, `dataengine rounds` shows them"
        )
    if not student.weights.is_file():
        raise ModelError(f"{student.weights}: the student's weights are gone; restore them")
    return student


def resolve_checkpoint(workspace: Workspace, name: str) -> str:
    """Return a teacher's or checkpoint's name with `sinet:current` put into words.

    Raises:
        ModelError: there is no current student.
    """
    return require_student(workspace).teacher_name if name == CURRENT else name


def resolve_settings(workspace: Workspace) -> Settings:
    """The workspace's settings, every `sinet:current` in them put into words.

    Raises:
        ModelError: there is no current student.
    """
    settings = workspace.settings
    names = {
        key: resolve_checkpoint(workspace, value)
        for key in ("name", "second_opinion")
        if isinstance(value := getattr(settings.teacher, key), str)
    }
    teacher = settings.teacher.model_copy(update=names)
    return settings.model_copy(update={"teacher": teacher})
