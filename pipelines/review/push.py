"""Questions to people become tasks on the server, each exactly once.

A request is in our ledger before its task is sent. A task is sent only when its key is known not to
be on the server: because the key was made a moment ago in this process, or because a look-up did
not find it after any earlier attempt had time to end. A lost answer is settled by looking, never by
sending again on a guess.
"""

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from db import Verdict, reader
from pipelines.exclusive import AlreadyLockedError, exclusive
from pipelines.masks import read_grey
from pipelines.quality.attempts import being_audited, unasked_audits
from pipelines.quality.scoring import score_masks
from pipelines.releases.splits import assign_splits
from pipelines.review import ledger
from pipelines.review.choosing import Order, Pick, Proposal, draw, mixed, proposals, ranking
from pipelines.review.errors import AnswerLostError, ReviewError
from pipelines.review.gateway import Brush, FoundTask, Gateway, NewTask
from pipelines.review.ledger import Project, Question
from pipelines.review.projects import open_project
from pipelines.review.removals import delete_forgotten
from pipelines.review.rle import encode_mask
from pipelines.review.server_paths import image_url
from pipelines.workspace import Workspace

_ATTEMPTS = 3
_LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class PushRequest:
    """What to push.

    Attributes:
        title: of the project.
        verdicts: of the automatic checks, on the masks to ask about.
        order: which come first.
        limit: new requests at most.
        batch: tasks a request to the server.
    """

    title: str
    verdicts: Collection[Verdict]
    order: Order
    limit: int | None
    batch: int


@dataclass(frozen=True)
class PushResult:
    """What a push did.

    Attributes:
        project: where the tasks are.
        new: requests that were made.
        resumed: requests of an interrupted push, which this one finished instead of making new.
        sent: tasks that were sent now.
        found: tasks that turned out to be on the server already.
        withdrawn: tasks taken back because their portrait has a newer mask.
        lost: tasks that somebody had deleted on the server; they were sent again.
        left: masks that nobody is being asked about yet.
    """

    project: Project
    new: int
    resumed: int
    sent: int = 0
    found: int = 0
    withdrawn: int = 0
    lost: int = 0
    left: int = 0


class PushObserver(Protocol):
    """Hears of progress."""

    def pushing(self, total: int) -> None:
        """So many tasks are about to be sent."""
        ...

    def pushed(self, done: int) -> None:
        """So many of them are on the server."""
        ...


def push(
    workspace: Workspace, gateway: Gateway, request: PushRequest, observer: PushObserver
) -> PushResult:
    """Ask people about masks.

    What an interrupted push left is finished first, and nothing new is asked by the same run: the
    same command, run again, ends where it would have ended.

    Raises:
        ReviewError: see `Gateway`; or a push is at work. What was sent is in the ledger, and
            the same command goes on.
        WorkspaceError: a blob is missing or damaged.
    """
    with alone(workspace):
        delete_forgotten(workspace, gateway)
        project = open_project(workspace, gateway, request.title)
        withdrawn = _withdraw(workspace, gateway, project, request.batch)
        with workspace.engine.begin() as connection:
            interrupted = ledger.open_ids(connection, project)
        lost = _reopen_lost(workspace, gateway, project)
        waiting = [*lost, *interrupted]
        new = [] if interrupted else _ask(workspace, project, request)
        sender = _Sender(workspace, gateway, project)
        observer.pushing(len(waiting) + len(new))
        done = 0
        for ids, is_new in ((waiting, False), (new, True)):
            for batch in _read_ahead(workspace, ids, request.batch):
                sender.send(batch, never_sent=is_new)
                done += len(batch)
                observer.pushed(done)
        with reader(workspace.engine).begin() as connection:
            left = len(proposals(connection, request.verdicts))
    return PushResult(
        project,
        new=len(new),
        resumed=len(interrupted),
        sent=sender.sent,
        found=sender.found,
        withdrawn=withdrawn,
        lost=len(lost),
        left=left,
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A request and its task."""

    question: Question
    task: NewTask


class _Sender:
    """Sends batches of requests; counts."""

    def __init__(self, workspace: Workspace, gateway: Gateway, project: Project) -> None:
        self._workspace = workspace
        self._gateway = gateway
        self._project = project
        self._served: bool | None = None
        self.sent = 0
        self.found = 0

    def send(self, tasks: Sequence[_Prepared], *, never_sent: bool) -> None:
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


def _read_ahead(workspace: Workspace, ids: Sequence[int], size: int) -> Iterator[list[_Prepared]]:
    """Batches of tasks; the next one's masks are read and encoded while one is being sent."""
    ahead: deque[Future[list[_Prepared]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for batch in ledger.chunks(ids, size):
            with reader(workspace.engine).begin() as connection:
                questions = ledger.questions(connection, ids=batch)
            ahead.append(pool.submit(_prepare, workspace, questions))
            if len(ahead) > 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _prepare(workspace: Workspace, questions: Sequence[Question]) -> list[_Prepared]:
    prepared = []
    for question in questions:
        mask = read_grey(workspace.store, question.mask_blob) > 127
        height, width = mask.shape
        url = image_url(workspace, question.portrait_blob)
        brush = Brush(encode_mask(mask), width, height)
        prepared.append(_Prepared(question, NewTask(question.key, url, brush)))
    return prepared


def _ask(workspace: Workspace, project: Project, request: PushRequest) -> list[int]:
    """Write new requests down; their ids, in the order in which they will be sent."""
    assign_splits(workspace)
    if request.order is Order.DOUBTFUL:
        score_masks(workspace)
    with reader(workspace.engine).begin() as connection:
        found = proposals(connection, request.verdicts)
        audited = being_audited(connection)
        found = [each for each in found if each.mask_id not in audited]
        rank = ranking(request.order, connection, workspace.store, found)
        audits = [
            Pick(Proposal(mask_id, portrait_id, "", 0.0, 0), at_random=True)
            for mask_id, portrait_id in unasked_audits(connection)
        ]
    picks = draw(found, request.limit, workspace.settings.review.random_share, rank)
    with workspace.engine.begin() as connection:
        before = set(ledger.open_ids(connection, project))
        # Audits are asked among the others: nobody can tell which they are.
        ledger.add(connection, project, mixed(picks, audits))
        return [each for each in ledger.open_ids(connection, project) if each not in before]


def _withdraw(workspace: Workspace, gateway: Gateway, project: Project, batch: int) -> int:
    """Take back questions about masks that have been replaced; answered ones are left to `pull`."""
    with reader(workspace.engine).begin() as connection:
        outdated = ledger.superseded(connection, project)
    withdrawn = 0
    for piece in ledger.chunks(outdated, batch):
        tried = [each.key for each in piece if each.posted_at or each.task_id]
        tasks = gateway.find_tasks(project.server_id, tried) if tried else []
        answered = {task.key for task in tasks if task.is_answered}
        for task in tasks:
            if task.key not in answered:
                gateway.delete_task(task.id)
        gone = [each.id for each in piece if each.key not in answered]
        with workspace.engine.begin() as connection:
            ledger.mark_superseded(connection, gone)
        withdrawn += len(gone)
    return withdrawn


def _reopen_lost(workspace: Workspace, gateway: Gateway, project: Project) -> list[int]:
    """Find undecided tasks that were deleted on the server: they will be sent again."""
    with reader(workspace.engine).begin() as connection:
        waiting = ledger.sent(connection, project)
    if not waiting:
        return []
    there = gateway.task_ids(project.server_id)
    lost = [request_id for request_id, task_id in waiting if task_id not in there]
    with workspace.engine.begin() as connection:
        ledger.reopen(connection, lost)
        reopened = set(ledger.open_ids(connection, project))
    return [each for each in lost if each in reopened]


def _worth_keeping(task: FoundTask) -> tuple[bool, bool, int]:
    """Sorts the one of several equal tasks first that should stay."""
    return (not task.is_answered, not task.has_mask, task.id)


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """One push at a time in a workspace; the kernel frees a dead one's lock.

    Raises:
        ReviewError: a push is at work.
    """
    try:
        with exclusive(workspace.paths.locks / "review-push"):
            yield
    except AlreadyLockedError:
        raise ReviewError(f"{workspace.paths.root}: a push is at work; wait for its end") from None
