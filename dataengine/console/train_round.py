"""`train --round` and `rounds` on a console."""

from dataclasses import dataclass
from typing import Any

import typer

from dataengine.console.rounds import fate, score_text
from dataengine.console.shared.progress import shown
from dataengine.console.shared.text import print_json
from dataengine.console.train import TrainingWork, compilable, configuration, fit
from db import reader
from pipelines.networks import NetworkRef, check_trainable
from pipelines.networks.current import resolve
from pipelines.portraits.standing import MinSource
from pipelines.rounds.finishing import finish_round, promote_by_hand
from pipelines.rounds.history import RoundLine, rounds
from pipelines.rounds.preparing import RoundRequest, RoundRun, prepare_round
from pipelines.workspace.exclusive import exclusive
from pipelines.workspace.workspace import Workspace
from sinet.devices import choose_device


@dataclass(frozen=True)
class RoundOptions:
    """What `train --round` was asked for.

    Attributes:
        number: of the round.
        min_source: what a mask needs when the round is frozen.
        recipe: name or file of the configuration; None: the network's default.
        overrides: configuration keys given as options; None values were not given.
        init: checkpoint to start from; None: random weights.
        teacher: network to distil from; None: none.
        device: `auto`, `cpu` or `cuda`.
        force: promote the student whatever it scores.
    """

    number: int
    min_source: str
    recipe: str | None
    overrides: dict[str, Any]
    init: NetworkRef | None
    teacher: NetworkRef | None
    device: str
    force: bool


def run_round(workspace: Workspace, options: RoundOptions, *, as_json: bool) -> bool:
    """Freeze, train, measure, promote and report; True if it was interrupted."""
    what = f"round {options.number} is being trained by another process"
    with exclusive(workspace, f"round-{options.number}", what):
        return _run_round(workspace, options, as_json=as_json)


def _run_round(workspace: Workspace, options: RoundOptions, *, as_json: bool) -> bool:
    if options.init:
        check_trainable(options.init, "--init")
    init, teacher = (
        network and resolve(workspace, network) for network in (options.init, options.teacher)
    )
    choose_device(options.device)
    config = configuration(options.recipe, options.overrides, init, teacher)
    request = RoundRequest(options.number, MinSource(options.min_source), config, init, teacher)
    run = prepare_round(workspace, request)
    _say_data(run)
    if run.is_finished:
        _say_finished(workspace, run, options)
    else:
        samples, held_out = run.samples()
        config = compilable(config, options.device, len(samples))
        work = TrainingWork(
            config, samples, held_out, run.out, init, teacher, options.device, run.resume
        )
        if fit(work, "the same command"):
            return True
        finish_round(workspace, run, shown, force=options.force)
    with reader(workspace.engine).begin() as connection:
        lines = rounds(connection)
    folder = str(run.out.relative_to(workspace.paths.root))
    (line,) = [each for each in lines if each.folder == folder]
    if as_json:
        print_json(line.as_dict())
    else:
        _report(line)
    return False


def _say_data(run: RoundRun) -> None:
    what = "Froze the trusted portraits as" if run.frozen_now else "Round's data:"
    typer.echo(f"{what} {run.release.name}, {run.data}", err=True)


def _say_finished(workspace: Workspace, run: RoundRun, options: RoundOptions) -> None:
    if options.force and promote_by_hand(workspace, run):
        typer.echo("Promoted by hand.", err=True)
    else:
        typer.echo(
            f"Round {run.number} was trained with these options; nothing was done. Other options "
            "train another student on the same data.",
            err=True,
        )


def _report(line: RoundLine) -> None:
    metrics = line.metrics or {}
    typer.echo(
        f"Round {line.round}, {metrics['images']:,} test images in {metrics['groups']:,} groups: "
        f"{score_text(metrics, 'iou', 'IoU')}, {score_text(metrics, 'boundary_f1', 'boundary F1')}"
    )
    typer.echo(fate(line))
    if line.promoted:
        typer.echo("Use it: `dataengine ingest ./raw --teacher sinet:current`")
    else:
        typer.echo("Recorded, not current; `--force` promotes it by hand.")
