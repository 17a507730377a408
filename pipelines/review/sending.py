"""Requests of the ledger become tasks: never sent again on a guess, always looked up first."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from db import chunks, reader
from pipelines.label_studio.crops import image_url
from pipelines.label_studio.errors import AnswerLostError, TooLargeError
from pipelines.label_studio.gateway import Brush, FoundTask, Gateway, NewTask
from pipelines.label_studio.rle import encode_mask
from pipelines.pictures.stored_masks import read_mask
from pipelines.review import ledger
from pipelines.review.ledger import Project, Question
from pipelines.review.projects import require_image
from pipelines.workspace.workspace import Workspace

_ATTEMPTS = 3
_LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request and its task."""

    question: Question
    task: NewTask


class Sender:
    """Sends batches of requests; counts."""

    def __init__(self, workspace: Workspace, gateway: Gateway, project: Project) -> None:
        self._workspace = workspace
        self._gateway = gateway
        self._project = project
        self._is_served = False
        self._most: int | None = None
        self.sent = 0
        self.found = 0

    def send(self, tasks: Sequence[Prepared], *, never_sent: bool) -> None:
        """Bring a batch to the server, whatever earlier attempts did.

        Args:
            tasks: of open requests.
            never_sent: their keys were made by this run: they cannot be there.
        """
        if self._most is not None and len(tasks) > self._most:
            self._send_halves(tasks, never_sent=never_sent)
            return
        batch = [each.question for each in tasks]
        task_of = {each.question.id: each.task for each in tasks}
        missing = batch if never_sent else self._settle(batch)
        self.found += len(batch) - len(missing)
        for attempt in range(1, _ATTEMPTS + 1):
            if not missing:
                return
            new = [task_of[question.id] for question in missing]
            self._require_images(new[0])
            with self._workspace.engine.begin() as connection:
                posted_at = ledger.mark_posted(connection, [each.id for each in missing])
            try:
                task_ids = self._gateway.import_tasks(self._project.server_id, new)
            except TooLargeError as error:
                if len(missing) == 1:
                    number = missing[0].portrait_id
                    raise TooLargeError(f"the task of portrait {number}: {error}") from error
                # Nothing of it was done, and what is as large will not be, either.
                self._most = len(missing) // 2
                left = {question.id for question in missing}
                rest = [each for each in tasks if each.question.id in left]
                self._send_halves(rest, never_sent=True)
                return
            except AnswerLostError:
                if attempt == _ATTEMPTS:
                    raise
                posted = [replace(each, posted_at=posted_at) for each in missing]
                missing = self._settle(posted)
                self.sent += len(posted) - len(missing)
                continue
            self._note(dict(zip((each.id for each in missing), task_ids, strict=True)))
            self.sent += len(missing)
            return

    def _send_halves(self, tasks: Sequence[Prepared], *, never_sent: bool) -> None:
        middle = len(tasks) // 2
        for half in (tasks[:middle], tasks[middle:]):
            self.send(half, never_sent=never_sent)

    def _settle(self, batch: list[Question]) -> list[Question]:
        """Wait until it is certain what the server has; note that, and return what it lacks."""
        patience = self._workspace.settings.review.settle_seconds
        pause = _LOOK_AGAIN_SECONDS
        while True:
            found = self._look_up(batch)
            doubtful = [each.posted_at for each in batch if each.key not in found]
            last_try = max((each.timestamp() for each in doubtful if each), default=0.0)
            left = last_try + patience - datetime.now(UTC).timestamp()
            if left <= 0:
                break
            time.sleep(min(pause, left))
            pause *= 2
        by_key = {each.key: each.id for each in batch}
        self._note({by_key[key]: task_id for key, task_id in found.items()})
        return [each for each in batch if each.key not in found]

    def _look_up(self, batch: Sequence[Question]) -> dict[str, int]:
        """Task by key; doubles and tasks without a mask are removed, unless somebody answered."""
        keys = [each.key for each in batch]
        tasks = self._gateway.find_tasks(self._project.server_id, keys)
        kept: dict[str, int] = {}
        for task in sorted(tasks, key=_worth_keeping):
            if task.key not in kept and (task.has_mask or task.is_answered):
                kept[task.key] = task.id
            elif not task.is_answered:
                self._gateway.delete_task(task.id)
        return kept

    def _note(self, task_ids: dict[int, int]) -> None:
        with self._workspace.engine.begin() as connection:
            ledger.mark_sent(connection, task_ids)

    def _require_images(self, task: NewTask) -> None:
        """Try one image a push."""
        if not self._is_served:
            require_image(self._gateway, self._project.server_id, task.image_url)
            self._is_served = True


def read_ahead(
    workspace: Workspace, url: str, ids: Sequence[int], size: int
) -> Iterator[list[Prepared]]:
    """Batches of tasks; the next one's masks are read and encoded while one is being sent."""
    ahead: deque[Future[list[Prepared]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for batch in chunks(ids, size):
            with reader(workspace.engine).begin() as connection:
                questions = ledger.questions(connection, ids=batch)
            ahead.append(pool.submit(_prepare, workspace, url, questions))
            if len(ahead) > 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _prepare(workspace: Workspace, url: str, questions: Sequence[Question]) -> list[Prepared]:
    prepared = []
    for question in questions:
        mask = read_mask(workspace.store, question.mask_blob)
        height, width = mask.shape
        image = image_url(workspace, url, question.portrait_blob)
        brush = Brush(encode_mask(mask), width, height)
        prepared.append(Prepared(question, NewTask(question.key, image, brush)))
    return prepared


def _worth_keeping(task: FoundTask) -> tuple[bool, bool, int]:
    """Sorts the one of several equal tasks first that should stay."""
    return (not task.is_answered, not task.has_mask, task.id)
