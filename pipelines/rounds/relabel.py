"""New masks by a student for portraits that still need one: rejected, or never reviewed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import sqlalchemy as sa

from db import Decision, JobRow, JobState, Mask, MaskSource, Stage, chunks, queue, reader
from pipelines.networks import NetworkRef, Teacher, load_network
from pipelines.networks.current import require_student
from pipelines.networks.names import AUTO, FAKE, whole_name
from pipelines.networks.runtimes import modules_of
from pipelines.portraits.decisions import majority, votes
from pipelines.portraits.latest import latest_masks
from pipelines.portraits.standing import MinSource, standings
from pipelines.rounds.relabel_stage import (
    Asked,
    Method,
    Relabelled,
    producer_of,
    relabel_stages,
    stages_with,
    teachers,
)
from pipelines.work.crew import Crew, crew
from pipelines.work.hands import HERE, Hands, check_hands, hands_on
from pipelines.work.stage import Committed, StageTable
from pipelines.workspace.errors import ModelError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace
from sinet.devices import choose_device

# A portrait takes a student some tenths of a second; a process starts in some seconds.
_WORTH_A_PROCESS = 16


@dataclass(frozen=True, kw_only=True)
class RelabelRequest:
    """Whom to ask.

    Attributes:
        round: its student, promoted or not; None: the current student.
        network: instead of a student; None: a student.
        method: whose probability the new masks are made from.
        device: `auto`, `cpu` or `cuda`.
        retry_failed: try those portraits again that failed with this student and method before.
        on: the cluster whose machines do the work: ``ray``, or ``ray://HOST[:PORT]``; None: this
            machine.
    """

    round: int | None = None
    network: NetworkRef | None = None
    method: Method = Method.MEAN
    device: str = "auto"
    retry_failed: bool = False
    on: str | None = None


@dataclass(frozen=True)
class RelabelFailure:
    """A portrait that wants a new mask and cannot have one.

    Attributes:
        portrait_id: which.
        reason: machine-readable code.
        message: what is wrong, for people.
    """

    portrait_id: int
    reason: str
    message: str


@dataclass(frozen=True)
class RelabelResult:
    """What was done.

    Attributes:
        round: of the student; None: it was another network.
        producer: who was asked, as a producer of masks.
        method: whose probability the new masks are made from.
        relabelled: portraits with a new mask, by id.
        failures: portraits that failed, in this run or in one before it.
        interrupted: stopped before all was done.
    """

    round: int | None
    producer: str
    method: Method
    relabelled: list[Relabelled]
    failures: list[RelabelFailure]
    interrupted: bool

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

    The workers of the queue do it. Interrupted or killed, the same request goes on where it was;
    another one withdraws what was left of it.

    Args:
        workspace: opened.
        request: whom to ask.
        progress: told of every portrait; asked whether to stop after the batches under way.

    Raises:
        ModelError: there is no such student, or it cannot be loaded.
        WorkspaceError: a blob is missing or damaged, or cannot be written; or a cluster's machines
            cannot reach the workspace.
        WorkerError: likewise, found by a worker; or there is no such cluster.
    """
    check_hands(workspace.settings, request.on)
    number, network = None, request.network
    if network is None:
        found = require_student(workspace, request.round)
        number, network = found.round, found.network
    if request.on is not None and AUTO in map(str, network.each):
        raise ModelError(
            f"--network {AUTO} --on {request.on}: that is another network on machines with a GPU "
            "than on those without; name one of them"
        )
    threads = crew(workspace.settings.engine, 0).threads
    settings = workspace.settings.teacher
    # On a cluster it is loaded here for its name alone, whatever GPU there is elsewhere.
    device = request.device if request.on is None else "cpu"
    student = load_network(network, device=device, threads=threads, settings=settings)
    with hands_on(request.on) as hands:
        relabelled = relabel(
            workspace,
            student,
            request.method,
            progress,
            network=network,
            device=request.device,
            retry_failed=request.retry_failed,
            hands=hands,
        )
    failures = _failures(workspace, outdated(workspace, student.name, request.method))
    return RelabelResult(
        number, student.name, request.method, relabelled, failures, progress.stopping()
    )


def relabel(
    workspace: Workspace,
    student: Teacher,
    method: Method,
    progress: Progress = SILENT,
    *,
    network: NetworkRef | None = None,
    device: str = "cpu",
    retry_failed: bool = False,
    hands: Hands = HERE,
) -> list[Relabelled]:
    """Give portraits a new mask revision each; see `relabel_portraits`.

    Args:
        workspace: opened.
        student: the network, loaded.
        method: whose probability the new masks are made from.
        progress: told of every portrait.
        network: to load it by in other processes; None: it stays in this one.
        device: for them.
        retry_failed: try failed ones again.
        hands: whose those are.

    Returns:
        Portraits with a new mask, by id; those that got another one meanwhile are left out.
    """
    name = student.name if network is None else whole_name(network)
    asked = Asked(network=name, device=device, method=method, student=student.name)
    workspace.clear_up_after_the_dead()
    wanted = outdated(workspace, student.name, method)
    with workspace.engine.begin() as connection:
        queue.withdraw(connection, Stage.RELABEL, but=wanted)
        queue.ask(connection, Stage.RELABEL, wanted, asked.argument(), retry=retry_failed)
        jobs = queue.counts(connection)[Stage.RELABEL]
    left = jobs[JobState.TODO] + jobs[JobState.DOING]
    relabelled: list[Relabelled] = []

    def report(batch: Committed) -> None:
        relabelled.extend(each for each in batch.told if isinstance(each, Relabelled))
        progress.advance(batch.done + len(batch.failures))

    progress.begin("relabelling", left, "portraits")
    is_fake = name == FAKE
    preload = () if network is None or is_fake else _modules(network)
    who = crew(workspace.settings.engine, left, _WORTH_A_PROCESS, preload=preload)
    table: StageTable = relabel_stages
    if hands.cluster is not None:
        progress.say(f"relabelling {left:,} portraits on {hands.cluster}")
    elif network is None or choose_device(device) != "cpu" or not who.workers:
        # On a GPU one network serves all.
        who, table = Crew(0, who.threads), partial(stages_with, student)
    if left:
        on_gpus = device != "cpu" and not is_fake
        hands.work_through(workspace, table, who, progress, report, on_gpus=on_gpus)
    return sorted(relabelled, key=lambda each: each.portrait_id)


def outdated(workspace: Workspace, student: str, method: Method) -> list[int]:
    """Masks that want a successor by a student, by portrait.

    They are the latest of portraits without a trusted mask: a network's that nobody has decided
    about, or any but a person's drawing that people rejected. What this student has made is not
    among them, so that going on after an interruption does nothing twice; with the mean, nor is
    what no teacher has labelled.

    Args:
        workspace: opened.
        student: name of it, as a producer.
        method: how the new mask is to be made.
    """
    columns = sa.select(Mask.id, Mask.portrait_id, Mask.source, Mask.producer)
    with reader(workspace.engine).begin() as connection:
        latest = connection.execute(columns.where(latest_masks()).order_by(Mask.portrait_id)).all()
        of_teacher = teachers(connection)
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
        if row.producer != producer_of(
            student, teacher.producer if teacher and method is Method.MEAN else None
        ):
            wanted.append(row.id)
    return wanted


def _modules(network: NetworkRef) -> tuple[str, ...]:
    return ("pipelines.rounds.relabel_stage", *modules_of(network.each))


def _failures(workspace: Workspace, mask_ids: Sequence[int]) -> list[RelabelFailure]:
    """Those of these masks that cannot be followed, by portrait."""
    query = (
        sa.select(Mask.portrait_id, JobRow.reason, JobRow.error)
        .join(Mask, Mask.id == JobRow.item_id)
        .where(JobRow.stage == Stage.RELABEL, JobRow.state == JobState.FAILED)
        .order_by(Mask.portrait_id)
    )
    with reader(workspace.engine).begin() as connection:
        return [
            RelabelFailure(row.portrait_id, row.reason, row.error)
            for ids in chunks(mask_ids)
            for row in connection.execute(query.where(JobRow.item_id.in_(ids)))
        ]
