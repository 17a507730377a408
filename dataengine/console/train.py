"""`train` on a console: where things are when it ends, or how to go on."""

import shlex
from typing import Any

import typer

from dataengine.console.rounds import fate, scores_text
from dataengine.console.shared.signals import INTERRUPTED
from dataengine.console.shared.text import print_json, say
from pipelines.rounds.history import RoundLine
from pipelines.rounds.requests import TrainRequest
from pipelines.rounds.train_round import RoundTrained
from pipelines.rounds.training import Trained
from pipelines.workspace.defaults import HELD_OUT

_FILES = ("weights", "curves", "tensorboard", "overlays")


def print_trained(request: TrainRequest, done: Trained, *, as_json: bool) -> None:
    """What the run left; an interrupted one ends the program."""
    if done.interrupted:
        _stop(done.epochs, _resume_command(request, done))
    if as_json:
        print_json(_as_dict(done))
        return
    iou = "" if done.held_out_iou is None else f", held-out IoU {done.held_out_iou:.4f}"
    say(f"{done.epochs} epochs, loss {done.loss:.4f}{iou}")
    for name in _FILES:
        if getattr(done, name) is not None:
            say(f"{name + ':':<13}{getattr(done, name)}")


def print_round(done: RoundTrained, *, as_json: bool) -> None:
    """How the round's student scores, and what follows; an interrupted run ends the program."""
    if done.interrupted:
        _stop(done.epochs, "the same command")
    if as_json:
        print_json(done.line.as_dict())
    else:
        _print_line(done.line)


def _stop(epochs: int, resume_command: str) -> None:
    if epochs:
        say(f"Stopped. {epochs} epochs are kept; to go on: {resume_command}", err=True)
    else:
        say("Stopped before the first epoch ended: nothing to resume.", err=True)
    raise typer.Exit(INTERRUPTED)


def _resume_command(request: TrainRequest, done: Trained) -> str:
    words = ["dataengine", "train"]
    for folder in request.data:
        words += ["--data", str(folder)]
    words += ["--out", str(done.out), "--resume"]
    if request.held_out != HELD_OUT:
        words += ["--held-out", f"{request.held_out:g}"]
    words += ["--nproc", str(request.nproc)] if request.nproc > 1 else []
    masks = request.masks
    words += ["--mask-class", masks.person_class] if masks.person_class else []
    words += ["--mask-channel", masks.channel] if masks.channel else []
    words += ["--mask-invert"] if masks.invert else []
    return shlex.join(words)


def _as_dict(done: Trained) -> dict[str, Any]:
    files = {name: getattr(done, name) for name in _FILES}
    return {
        **{name: None if path is None else str(path) for name, path in files.items()},
        "epochs": done.epochs,
        "loss": done.loss,
        "held_out_iou": done.held_out_iou,
    }


def _print_line(line: RoundLine) -> None:
    metrics = line.metrics or {}
    say(
        f"Round {line.round}, {metrics['images']:,} test images in {metrics['groups']:,} groups: "
        f"{scores_text(metrics)}"
    )
    say(fate(line))
    if line.promoted:
        say("Use it: `dataengine ingest ./raw --teacher sinet:current`")
    else:
        say("Recorded, not current; `--force` promotes it by hand.")
