"""Requests of the ledger become tasks: never sent again on a guess, always looked up first."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from db import chunks, reader
from pipelines.label_studio.errors import AnswerLostError, ReviewError
from pipelines.label_studio.gateway import Brush, FoundTask, Gateway, NewTask
from pipelines.label_studio.rle import encode_mask
from pipelines.label_studio.server_paths import image_url
from pipelines.pictures.stored_masks import read_mask
from pipelines.review import ledger
from pipelines.review.ledger import Project, Question
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
        self._served: bool | None = None
        self.sent = 0
        self.found = 0

    def send(self, tasks: Sequence[Prepared], *, never_sent: bool) -> None:
        """Bring a batch to the server, whatever earlier attempts did.

        Args:
            tasks: of open requests.
            never_sent: their keys were made by this run: they cannot be there.
        """
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
        """A task whose image cannot be seen is worse than none: try one image a push."""
        if self._served is None:
            self._served = self._gateway.serves(task.image_url)
        if not self._served:
            raise ReviewError(
                f"{self._gateway.url} does not hand out {task.image_url}: start it with "
                "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the workspace's store, or set "
                "store_on_server and document_root in [review]"
            )


def read_ahead(workspace: Workspace, ids: Sequence[int], size: int) -> Iterator[list[Prepared]]:
    """Batches of tasks; the next one's masks are read and encoded while one is being sent."""
    ahead: deque[Future[list[Prepared]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for batch in chunks(ids, size):
            with reader(workspace.engine).begin() as connection:
                questions = ledger.questions(connection, ids=batch)
            ahead.append(pool.submit(_prepare, workspace, questions))
            if len(ahead) > 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _prepare(workspace: Workspace, questions: Sequence[Question]) -> list[Prepared]:
    prepared = []
    for question in questions:
        mask = read_mask(workspace.store, question.mask_blob)
        height, width = mask.shape
        url = image_url(workspace, question.portrait_blob)
        brush = Brush(encode_mask(mask), width, height)
        prepared.append(Prepared(question, NewTask(question.key, url, brush)))
    return prepared


def _worth_keeping(task: FoundTask) -> tuple[bool, bool, int]:
    """Sorts the one of several equal tasks first that should stay."""
    return (not task.is_answered, not task.has_mask, task.id)
