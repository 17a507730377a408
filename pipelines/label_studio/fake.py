"""A Label Studio in memory, for tests: it can be told to fail in the ways real ones do."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count

from pipelines.label_studio.errors import (
    AnswerLostError,
    NotAllowedError,
    TooLargeError,
    UnreachableError,
)
from pipelines.label_studio.gateway import (
    Annotation,
    Backend,
    Brush,
    FoundTask,
    NewTask,
    ServedBucket,
    ServedFolder,
    ServerProject,
    UpdatedTask,
)
from pipelines.label_studio.screen import DECISION, MODEL_VERSION, REASON

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Fault(StrEnum):
    """What goes wrong with one call."""

    UNREACHABLE = "unreachable"  # no connection: nothing is done
    UNAUTHORISED = "unauthorised"  # 401: nothing is done
    RESET = "reset"  # the connection breaks before anything is done
    LOST = "lost"  # 504: done, but the answer does not come
    LATE = "late"  # 504, and done a while later
    TWICE = "twice"  # done twice (a proxy repeats the request), answered once


@dataclass
class FakeTask:
    """A task on the fake server."""

    id: int
    project_id: int
    key: str
    image_url: str
    mask: Brush | None
    updated_at: datetime
    annotations: list[Annotation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_whole: bool = True


class FakeGateway:
    """See `Gateway`.

    Attributes:
        url: of no server.
        projects: by id; tests may change them by hand.
        tasks: by id; likewise.
        calls: how often each method was called.
        lookups_until_late: after so many look-ups, what was LATE is done.
        most_tasks_a_request: with more of them a request is too large; None: no matter how many.
        shows_images: whether any image is handed out.
    """

    def __init__(self, url: str = "http://fake", began: datetime = _BEGAN) -> None:
        """Start a server without projects.

        Args:
            url: of no server.
            began: what its clock says now. A pull remembers the clock of the server, so a fresh
                server of the same URL has to go on where the one before it was.
        """
        self.url = url
        self.projects: dict[int, ServerProject] = {}
        self.tasks: dict[int, FakeTask] = {}
        self.calls: dict[str, int] = defaultdict(int)
        self.served: set[tuple[int, ServedFolder | ServedBucket]] = set()
        self.backends: dict[int, Backend] = {}
        self.lookups_until_late = 2
        self.most_tasks_a_request: int | None = None
        self.shows_images = True
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._late: list[tuple[int, Sequence[NewTask]]] = []
        self._ids = count(1)
        self._now = began

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method go wrong, one fault each."""
        self._faults[method].extend(faults)

    def answer(
        self,
        task_id: int,
        decision: str | None,
        *,
        reviewer: str = "ann@example.org",
        regions: Sequence[Brush] | None = None,
        reasons: Sequence[str] = (),
        seconds: float | None = 2.0,
        skipped: bool = False,
    ) -> int:
        """Submit an answer as a reviewer would; the mask that was shown unless others are given.

        Returns:
            The annotation's id.
        """
        task = self.tasks[task_id]
        shown = [task.mask] if task.mask else []
        choices: Mapping[str, Sequence[str]] = {
            name: values
            for name, values in ((DECISION, [decision] if decision else []), (REASON, reasons))
            if values
        }
        annotation = Annotation(
            id=next(self._ids),
            updated_at=self._touch(task),
            reviewer=reviewer,
            seconds=seconds,
            skipped=skipped,
            choices=choices,
            comment=None,
            regions=shown if regions is None else regions,
        )
        task.annotations.append(annotation)
        return annotation.id

    def edit(self, task_id: int, annotation_id: int, **changes: object) -> None:
        """Change an answer, as somebody who opens the task again."""
        task = self.tasks[task_id]
        now = self._touch(task)
        task.annotations = [
            replace(each, updated_at=now, **changes) if each.id == annotation_id else each  # type: ignore[arg-type]
            for each in task.annotations
        ]

    def delete_answer(self, task_id: int, annotation_id: int) -> None:
        """Remove an answer: the task waits again."""
        task = self.tasks[task_id]
        self._touch(task)
        task.annotations = [each for each in task.annotations if each.id != annotation_id]

    def find_projects(self, title: str) -> list[ServerProject]:
        """See `Gateway.find_projects`."""
        self._call("find_projects")
        return [each for each in self.projects.values() if each.title == title]

    def project(self, project_id: int) -> ServerProject | None:
        """See `Gateway.project`."""
        self._call("project")
        return self.projects.get(project_id)

    def create_project(
        self, title: str, config: str, guideline: str, description: str
    ) -> ServerProject:
        """See `Gateway.create_project`."""
        del guideline
        fault = self._call("create_project")
        made = ServerProject(next(self._ids), title, config, MODEL_VERSION, True, description)
        self.projects[made.id] = made
        self._lose(fault)
        return made

    def describe_project(self, project_id: int, description: str) -> None:
        """See `Gateway.describe_project`."""
        self._call("describe_project")
        self.projects[project_id] = replace(self.projects[project_id], description=description)

    def delete_project(self, project_id: int) -> None:
        """See `Gateway.delete_project`."""
        self._call("delete_project")
        del self.projects[project_id]
        self.tasks = {
            number: task for number, task in self.tasks.items() if task.project_id != project_id
        }

    def serve(self, project_id: int, source: ServedFolder | ServedBucket) -> None:
        """See `Gateway.serve`."""
        self._call("serve")
        self.served.add((project_id, source))

    def connect_backend(self, project_id: int, backend: Backend) -> None:
        """See `Gateway.connect_backend`."""
        self._call("connect_backend")
        self.backends[project_id] = backend

    def serves(self, project_id: int, image_url: str) -> bool:
        """See `Gateway.serves`."""
        del project_id
        self._call("serves")
        return self.shows_images and image_url.endswith(".jpg")

    def import_tasks(self, project_id: int, tasks: Sequence[NewTask]) -> list[int]:
        """See `Gateway.import_tasks`."""
        fault = self._call("import_tasks")
        if self.most_tasks_a_request is not None and len(tasks) > self.most_tasks_a_request:
            raise TooLargeError(f"{self.url} takes no request as large as this (413)")
        if fault == Fault.LATE:
            self._late.append((project_id, tasks))
            self._lose(fault)
        ids = self._import(project_id, tasks)
        if fault == Fault.TWICE:
            self._import(project_id, tasks)
        self._lose(fault)
        return ids

    def find_tasks(self, project_id: int, keys: Sequence[str]) -> list[FoundTask]:
        """See `Gateway.find_tasks`."""
        self._call("find_tasks")
        self._do_what_was_late()
        return [
            FoundTask(task.id, task.key, task.mask is not None, _is_answered(task))
            for task in self.tasks.values()
            if task.project_id == project_id and task.key in keys
        ]

    def task_ids(self, project_id: int) -> set[int]:
        """See `Gateway.task_ids`."""
        self._call("task_ids")
        return {task.id for task in self.tasks.values() if task.project_id == project_id}

    def delete_task(self, task_id: int) -> None:
        """See `Gateway.delete_task`."""
        self._call("delete_task")
        self.tasks.pop(task_id, None)

    def updated_tasks(
        self, project_id: int, since: datetime | None, page: int, page_size: int
    ) -> list[UpdatedTask]:
        """See `Gateway.updated_tasks`."""
        self._call("updated_tasks")
        found = [
            UpdatedTask(
                task.id,
                task.key,
                task.updated_at,
                list(task.annotations),
                list(task.problems),
                task.is_whole,
            )
            for task in sorted(self.tasks.values(), key=lambda task: (task.updated_at, task.id))
            if task.project_id == project_id and (since is None or task.updated_at >= since)
        ]
        return found[(page - 1) * page_size : page * page_size]

    def _call(self, method: str) -> Fault | None:
        """Count a call, and raise the faults that come before anything is done."""
        self.calls[method] += 1
        fault = self._faults[method].popleft() if self._faults[method] else None
        match fault:
            case Fault.UNREACHABLE:
                raise UnreachableError(f"{self.url} cannot be reached; is the server running?")
            case Fault.UNAUTHORISED:
                raise NotAllowedError(f"{self.url} does not accept the token")
            case Fault.RESET:
                raise AnswerLostError(f"{self.url} did not answer (ReadError)")
        return fault

    def _lose(self, fault: Fault | None) -> None:
        if fault in (Fault.LOST, Fault.LATE):
            raise AnswerLostError(f"{self.url} failed (504)")

    def _do_what_was_late(self) -> None:
        self.lookups_until_late -= 1 if self._late else 0
        if self._late and self.lookups_until_late <= 0:
            for project_id, tasks in self._late:
                self._import(project_id, tasks)
            self._late.clear()

    def _import(self, project_id: int, tasks: Sequence[NewTask]) -> list[int]:
        # One time for all, as a bulk import has it.
        self._now += timedelta(seconds=1)
        ids = [next(self._ids) for _ in tasks]
        for task_id, task in zip(ids, tasks, strict=True):
            self.tasks[task_id] = FakeTask(
                task_id, project_id, task.key, task.image_url, task.mask, self._now
            )
        return ids

    def _touch(self, task: FakeTask) -> datetime:
        self._now += timedelta(seconds=1)
        task.updated_at = self._now
        return self._now


def _is_answered(task: FakeTask) -> bool:
    return any(not each.skipped for each in task.annotations)
