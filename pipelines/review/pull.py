"""Decisions come back from the server: each once, bound to the mask that was shown.

Whatever the server says about a task is compared with what we have: new and changed answers are
added, those that are gone are marked withdrawn, and nothing is overwritten. So a pull may be
repeated, interrupted, or run beside another.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from db import Purpose, RequestState, ReviewProject, reader
from pipelines.label_studio import connecting
from pipelines.label_studio.errors import AnswerLostError, NotAllowedError, UnreachableError
from pipelines.label_studio.gateway import Annotation, Gateway, UpdatedTask
from pipelines.label_studio.marks import marks_json
from pipelines.masks.agreement import difference
from pipelines.pictures.stored_masks import read_mask
from pipelines.review import ledger, records
from pipelines.review.answers import Answer, UnusableAnswerError, read_answer
from pipelines.review.ledger import Project, Question
from pipelines.review.projects import check_project, recognise
from pipelines.review.records import NewReview
from pipelines.review.removals import delete_forgotten
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace

_PAGE_SIZE = 200


@dataclass
class PullResult:
    """What a pull found that was not known.

    Attributes:
        decisions: new ones, by kind.
        withdrawn: decisions that hold no longer: deleted, skipped, or replaced by new ones.
        problems: answers that cannot be used, in words.
        removed: tasks nobody needs: doubles, and late ones of questions that were withdrawn.
        skipped: tasks that somebody passed on; they wait.
        foreign: tasks in the project that are not ours; left alone.
        gone: titles of projects that were deleted on the server.
        taken: titles of projects at whose URL and number another project is now.
    """

    decisions: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    problems: list[str] = field(default_factory=list)
    removed: int = 0
    skipped: int = 0
    foreign: int = 0
    gone: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was added, withdrawn or removed."""
        return bool(self.decisions or self.withdrawn or self.problems or self.removed)


def pull_answers(
    workspace: Workspace, progress: Progress = SILENT, *, gateway: Gateway | None = None
) -> PullResult:
    """Fetch what reviewers did since the last pull.

    Args:
        workspace: opened.
        progress: told of every page of tasks.
        gateway: the server; None: the one that environment and settings name.

    Raises:
        ProjectChangedError: a project's answers could not be read; its tasks are pulled once it is
            put right.
        ReviewError: see `Gateway`. What was pulled is committed.
        WorkspaceError: a blob is missing or damaged, or cannot be written.
    """
    gateway = gateway or connecting.connect(workspace)
    result = PullResult()
    on_server = recognise(workspace, gateway)
    delete_forgotten(workspace, gateway)
    result.gone = [project.title for project in on_server.gone]
    result.taken = [project.title for project in on_server.taken]
    for known in on_server.ours:
        project = known.project
        check_project(gateway, known.on_server)
        progress.begin(f"pulling {project.title}", None, "tasks")
        for page in _updated(workspace, gateway, project):
            with reader(workspace.engine).begin() as connection:
                found = ledger.questions(connection, keys=[task.key for task in page if task.key])
            asked = {question.key: question for question in found}
            ours = []
            for task in page:
                question = asked.get(task.key) if task.key else None
                if question is None:
                    result.foreign += 1
                    continue
                ours.append(task)
                if _is_superfluous(question, task):
                    _remove(gateway, question, task, result)
                elif _is_worked_on(task) or not _is_waiting(question, task):
                    _take(workspace, gateway, project, question, task, result)
            # Tasks of others may have any time: a clock that is wrong must not skip ours.
            if ours:
                _advance(workspace, project, max(task.updated_at for task in ours))
            progress.advance(len(page))
    return result


def watch_answers(
    workspace: Workspace,
    seconds: float,
    progress: Progress = SILENT,
    *,
    gateway: Gateway | None = None,
) -> Iterator[PullResult]:
    """Pull again and again; a server that is away for a while is waited for.

    Args:
        workspace: opened.
        seconds: between two pulls.
        progress: asked whether to stop after each; told when the server does not answer.
        gateway: as for `pull_answers`.

    Yields:
        What changed, of each pull that brought something.

    Raises:
        NotAllowedError: the server does not take the token any more.
        ReviewError: as `pull_answers`, but for a server that cannot be reached.
    """
    gateway = gateway or connecting.connect(workspace)
    while not progress.stopping():
        try:
            result = pull_answers(workspace, progress, gateway=gateway)
        except NotAllowedError:
            raise
        except (UnreachableError, AnswerLostError) as error:
            progress.say(f"warning: {error}; trying again")
        else:
            if result.changed:
                yield result
        time.sleep(seconds)


def _updated(
    workspace: Workspace, gateway: Gateway, project: Project
) -> Iterator[list[UpdatedTask]]:
    """Pages of updated tasks.

    A task that is updated meanwhile moves to the end of the list and would shift the pages after
    it, so every page is the first one from the last update time seen.
    """
    overlap = timedelta(seconds=workspace.settings.review.overlap_seconds)
    since = project.pulled_until and min(project.pulled_until, datetime.now(UTC)) - overlap
    number = 1
    while True:
        page = gateway.updated_tasks(project.server_id, since, number, _PAGE_SIZE)
        if page:
            yield page
        if len(page) < _PAGE_SIZE:
            return
        latest = page[-1].updated_at
        # A bulk import gives many tasks one time: only then are later pages needed.
        number = number + 1 if since is not None and latest <= since else 1
        since = latest


def _take(
    workspace: Workspace,
    gateway: Gateway,
    project: Project,
    question: Question,
    task: UpdatedTask,
    result: PullResult,
) -> None:
    """Compare one task with what we have, and write the difference."""
    with reader(workspace.engine).begin() as connection:
        standing = records.standing(connection, question.id)
    answers = [each for each in task.annotations if not each.skipped]
    if task.annotations and not answers:
        result.skipped += 1
    new, problems = [], list(task.problems)
    for annotation in answers:
        if (annotation.id, annotation.updated_at) in standing:
            continue
        shown = read_mask(workspace.store, question.mask_blob)
        try:
            answer = read_answer(annotation, shown)
        except UnusableAnswerError as error:
            problems.append(str(error))
        else:
            new.append(_review(workspace, question, annotation, answer, shown))
    valid = {(each.id, each.updated_at) for each in answers}
    gone = [review_id for state, review_id in standing.items() if state not in valid]
    # What may be among the answers that cannot be read is not taken back.
    gone = gone if task.is_whole else []
    where = f"{gateway.url}/projects/{project.server_id}/data?task={task.id}"
    problem = f"portrait {question.portrait_id}: {'; '.join(problems)}; see {where}"
    with workspace.engine.begin() as connection:
        written = records.write(
            connection, question, task.id, new, gone, problem if problems else None
        )
    result.decisions.update(str(each) for each in written.decisions)
    result.withdrawn += written.withdrawn
    if written.is_new_problem:
        result.problems.append(problem)


def _review(
    workspace: Workspace,
    question: Question,
    annotation: Annotation,
    answer: Answer,
    shown: NDArray[np.bool_],
) -> NewReview:
    """What to write for an answer; the mask of a fix goes into the store first."""
    drawn = fixed_iou = None
    if answer.drawn is not None:
        fixed_iou = 1 - difference(shown, answer.drawn)
    # What was drawn over a honeypot is no portrait's mask.
    if answer.drawn is not None and question.purpose is not Purpose.HONEYPOT:
        drawn = records.store_drawn(
            workspace, question.portrait_id, answer.drawn, annotation.reviewer
        )
    return NewReview(
        decision=answer.decision,
        reviewer=annotation.reviewer,
        decided_at=annotation.updated_at,
        seconds=annotation.seconds,
        reasons=answer.reasons,
        comment=annotation.comment,
        annotation_id=annotation.id,
        drawn=drawn,
        fixed_iou=fixed_iou,
        marks=[] if answer.drawn is None else marks_json(annotation.marks),
    )


def _is_superfluous(question: Question, task: UpdatedTask) -> bool:
    """Whether the task is there a second time, or came after its question was withdrawn."""
    if question.state == RequestState.SUPERSEDED and not _is_worked_on(task):
        return True
    return question.task_id is not None and question.task_id != task.id


def _is_worked_on(task: UpdatedTask) -> bool:
    """Whether anybody submitted anything, understood or not."""
    return bool(task.annotations or task.problems)


def _is_waiting(question: Question, task: UpdatedTask) -> bool:
    """Whether we know that this task has no answer."""
    known = (question.state, question.task_id, question.problem)
    return known == (RequestState.SENT, task.id, None)


def _remove(gateway: Gateway, question: Question, task: UpdatedTask, result: PullResult) -> None:
    """Take back a task that nobody needs, unless somebody has worked on it."""
    if _is_worked_on(task):
        result.problems.append(
            f"portrait {question.portrait_id}: task {task.id} repeats task {question.task_id} and "
            "both were worked on; delete one of them"
        )
        return
    gateway.delete_task(task.id)
    result.removed += 1


def _advance(workspace: Workspace, project: Project, until: datetime) -> None:
    """Remember how far we are; never go back, since another pull may be further.

    Nor further than now: what comes after a server's clock was set back must not look old.
    """
    until = min(until, datetime.now(UTC))
    with workspace.engine.begin() as connection:
        connection.execute(
            sa.update(ReviewProject)
            .where(
                ReviewProject.id == project.id,
                sa.or_(ReviewProject.pulled_until.is_(None), ReviewProject.pulled_until < until),
            )
            .values(pulled_until=until)
        )
