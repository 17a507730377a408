"""A round: its data frozen, a student trained on it, measured, and promoted if it is better."""

from dataclasses import dataclass, replace

from db import reader
from pipelines.networks import check_trainable
from pipelines.networks.current import resolve
from pipelines.rounds.finishing import finish_round, promote_by_hand
from pipelines.rounds.history import RoundLine, round_lines
from pipelines.rounds.learning import Lesson, configuration, kept_epochs, learn
from pipelines.rounds.preparing import RoundRun, prepare_round
from pipelines.rounds.requests import RoundRequest
from pipelines.workspace.exclusive import exclusive
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace
from sinet.devices import choose_device


@dataclass(frozen=True)
class RoundTrained:
    """How a round's run stands.

    Attributes:
        run: it.
        interrupted: it was stopped before its end; the same request goes on.
        epochs: that are done.
        line: the run, as in the table of rounds.
    """

    run: RoundRun
    interrupted: bool
    epochs: int
    line: RoundLine


def train_round(
    workspace: Workspace, request: RoundRequest, progress: Progress = SILENT
) -> RoundTrained:
    """Freeze a round's data, train a student on it, measure it, and promote it if it is better.

    The same request goes on with an interrupted run, and does nothing twice.

    Args:
        workspace: opened.
        request: which round, and how the student is made.
        progress: told of every epoch; stops it between two of them.

    Raises:
        PipelineError: there is nothing to learn from or to measure on.
        BusyError: another process trains this round.
        ModelError: no such network, or one of the wrong kind.
        WorkspaceError: a blob is missing or damaged, or the disk is full.
        SINetError: as `sinet.training.train`.
    """
    what = f"round {request.round} is being trained by another process"
    with exclusive(workspace, f"round-{request.round}", what):
        return _train(workspace, request, progress)


def _train(workspace: Workspace, request: RoundRequest, progress: Progress) -> RoundTrained:
    if request.init:
        check_trainable(request.init, "--init")
    init, teacher = (
        network and resolve(workspace, network) for network in (request.init, request.teacher)
    )
    request = replace(request, init=init, teacher=teacher)
    choose_device(request.device)
    config = configuration(request)
    run = prepare_round(workspace, request, config)
    what = "Froze the trusted portraits as" if run.frozen_now else "Round's data:"
    progress.say(f"{what} {run.release.name}, {run.data}")
    finished = True
    if run.is_finished:
        _tell_finished(workspace, run, progress, force=request.force)
    else:
        samples, held_out = run.samples()
        lesson = Lesson(
            samples=samples,
            held_out=held_out,
            out=run.out,
            resume=run.resume,
            settings=workspace.settings,
        )
        finished = learn(request, config, lesson, progress)
        if finished:
            finish_round(workspace, run, progress, force=request.force)
    folder = str(run.out.relative_to(workspace.paths.root))
    with reader(workspace.engine).begin() as connection:
        (line,) = [each for each in round_lines(connection) if each.folder == folder]
    return RoundTrained(run, not finished, kept_epochs(run.out), line)


def _tell_finished(workspace: Workspace, run: RoundRun, progress: Progress, *, force: bool) -> None:
    if force and promote_by_hand(workspace, run):
        progress.say("Promoted by hand.")
    else:
        progress.say(
            f"Round {run.number} was trained with these options; nothing was done. Other options "
            "train another student on the same data."
        )
