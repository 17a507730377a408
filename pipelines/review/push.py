"""Questions to people become tasks on the server, each exactly once.

A request is in our ledger before its task is sent. A task is sent only when its key is known not to
be on the server: because the key was made a moment ago in this process, or because a look-up did
not find it after any earlier attempt had time to end. A lost answer is settled by looking, never by
sending again on a guess.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db import Purpose, Verdict, chunks, reader
from pipelines.certify.attempts import being_audited, unasked_audits
from pipelines.doubt.scoring import score_masks
from pipelines.doubt.stored_features import stored_features
from pipelines.label_studio import connecting
from pipelines.label_studio.gateway import Gateway
from pipelines.networks.features import student_or_bundled
from pipelines.origins.rows import apply_policy
from pipelines.portraits.proposals import proposals
from pipelines.portraits.splits import assign_splits
from pipelines.review import ledger
from pipelines.review.asking import NewQuestion, add, shuffled
from pipelines.review.called_for import called_for, settle_calls
from pipelines.review.checks import choose_checks
from pipelines.review.choosing import Order, asked_about, draw, ranking
from pipelines.review.ledger import Project
from pipelines.review.projects import open_project, recognise
from pipelines.review.removals import delete_forgotten
from pipelines.review.sending import Sender, read_ahead
from pipelines.workspace.exclusive import PUSH, exclusive
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class PushRequest:
    """What to push.

    Attributes:
        verdicts: of the automatic checks, on the masks to ask about.
        order: which come first.
        limit: new requests at most.
        project: title of the project; None: that of the settings.
        batch: tasks a request to the server; None: that of the settings.
    """

    verdicts: Collection[Verdict] = (Verdict.CANDIDATE, Verdict.REVIEW)
    order: Order = Order.UNCERTAIN
    limit: int | None = None
    project: str | None = None
    batch: int | None = None


@dataclass(frozen=True)
class PushResult:
    """What a push did.

    Attributes:
        project: where the tasks are.
        new: requests that were made.
        resumed: requests of an interrupted push, which this one finished instead of making new.
        sent: tasks that were sent now.
        found: tasks that turned out to be on the server already.
        withdrawn: tasks taken back because their portrait has a newer mask, or their audit ended.
        lost: tasks that somebody had deleted on the server; they were sent again.
        left: masks that nobody is being asked about yet.
        url: where people answer.
        seconds: that it took.
    """

    project: Project
    new: int
    resumed: int
    sent: int = 0
    found: int = 0
    withdrawn: int = 0
    lost: int = 0
    left: int = 0
    url: str = ""
    seconds: float = 0


def push_questions(
    workspace: Workspace,
    request: PushRequest,
    progress: Progress = SILENT,
    *,
    gateway: Gateway | None = None,
) -> PushResult:
    """Ask people about masks.

    What an interrupted push left is finished first, and nothing new is asked by the same run: the
    same command, run again, ends where it would have ended.

    Args:
        workspace: opened.
        request: what to ask, and where.
        progress: told of every batch.
        gateway: the server; None: the one that environment and settings name.

    Raises:
        ReviewError: see `Gateway`. What was sent is in the ledger, and the same command goes on.
        BusyError: another push is at work.
        WorkspaceError: a blob is missing or damaged.
    """
    gateway = gateway or connecting.connect(workspace)
    settings, started = workspace.settings.review, time.monotonic()
    title, batch_size = request.project or settings.project, request.batch or settings.batch
    with exclusive(workspace, *PUSH):
        on_server = recognise(workspace, gateway)
        delete_forgotten(workspace, gateway)
        project = open_project(workspace, gateway, title, on_server)
        withdrawn = _withdraw(workspace, gateway, project, batch_size)
        with workspace.engine.begin() as connection:
            interrupted = ledger.open_ids(connection, project)
        lost = _reopen_lost(workspace, gateway, project)
        waiting = [*lost, *interrupted]
        new = [] if interrupted else _ask(workspace, project, request, progress)
        sender = Sender(workspace, gateway, project)
        progress.begin("pushing", len(waiting) + len(new), "tasks")
        for ids, is_new in ((waiting, False), (new, True)):
            for batch in read_ahead(workspace, gateway.url, ids, batch_size):
                sender.send(batch, never_sent=is_new)
                progress.advance(len(batch))
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
        url=f"{gateway.url}/projects/{project.server_id}/data?labeling=1",
        seconds=time.monotonic() - started,
    )


def _ask(
    workspace: Workspace, project: Project, request: PushRequest, progress: Progress
) -> list[int]:
    """Write new requests down; their ids, in the order in which they will be sent."""
    apply_policy(workspace)
    assign_splits(workspace)
    if request.order in (Order.DOUBTFUL, Order.INFORMATIVE):
        score_masks(workspace)
    features = (
        _features(workspace, request, progress) if request.order is Order.INFORMATIVE else None
    )
    with workspace.engine.begin() as connection:
        settle_calls(connection)
    with reader(workspace.engine).begin() as connection:
        found = proposals(connection, request.verdicts)
        audited = being_audited(connection)
        called = [each for each in called_for(connection) if each.mask_id not in audited]
        called = called[: request.limit]
        spoken_for = audited | {each.mask_id for each in called}
        found = [each for each in found if each.mask_id not in spoken_for]
        audits = [NewQuestion(*ids, Purpose.AUDIT) for ids in unasked_audits(connection)]
        room = len(found) if request.limit is None else request.limit - len(called)
        limit = min(room, len(found))
        rank = ranking(request.order, connection, workspace.store, found, limit, features)
        others = limit + len(called) + len(audits)
        checks = choose_checks(workspace, connection, others, request.limit)
    seen = {each.portrait_id for each in called}
    checks = [each for each in checks if each.portrait_id not in seen]
    if request.limit is not None:
        checks = checks[:room]
        limit = min(limit, room - len(checks))
    picks = [
        NewQuestion(
            pick.proposal.mask_id,
            pick.proposal.portrait_id,
            Purpose.REVIEW,
            pick.proposal.replicate,
            pick.at_random,
        )
        for pick in draw(found, limit, workspace.settings.review.random_share, rank)
    ]
    with workspace.engine.begin() as connection:
        before = set(ledger.open_ids(connection, project))
        # What people called for comes first. Audits and checks are asked among the others: nobody
        # can tell which they are.
        add(connection, project.id, [*called, *shuffled(picks, audits, checks)])
        settle_calls(connection)
        return [each for each in ledger.open_ids(connection, project) if each not in before]


def _features(
    workspace: Workspace, request: PushRequest, progress: Progress
) -> dict[int, NDArray[np.float32]]:
    """What the student sees in portraits that may be asked about, and in those that were."""
    with reader(workspace.engine).begin() as connection:
        found = [each.portrait_id for each in proposals(connection, request.verdicts)]
        asked = asked_about(connection)
    return stored_features(workspace, student_or_bundled(workspace), [*found, *asked], progress)


def _withdraw(workspace: Workspace, gateway: Gateway, project: Project, batch: int) -> int:
    """Take back questions about masks that have been replaced; answered ones are left to `pull`."""
    with reader(workspace.engine).begin() as connection:
        outdated = ledger.superseded(connection, project)
    withdrawn = 0
    for piece in chunks(outdated, batch):
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
