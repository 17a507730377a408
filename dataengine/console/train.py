"""`train` on a console: progress while it runs, where things are when it ends."""

import math
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import typer
from rich.console import Console

from dataengine.console.shared.progress import shown
from dataengine.console.shared.text import print_json
from dataengine.console.shared.training_progress import training_progress
from pipelines.networks import NetworkRef, check_network, check_trainable, load_network
from sinet.data import Sample, hold_out, training_samples
from sinet.devices import choose_device
from sinet.errors import ConfigError
from sinet.run_files import (
    CONFIG_FILE,
    LOG_FILE,
    OVERLAY_FOLDER,
    RESUME_FILE,
    TENSORBOARD_FOLDER,
    WEIGHTS_FILE,
)
from sinet.training import TrainingConfig, default_recipe, load_config, train, write_soft_masks
from sinet.training.compiling import has_compiler, settled, worth_compiling
from sinet.training.records import read_log

_SOFT_MASKS = "soft_masks"
# Weight of the teacher's soft masks where the recipe gives none.
_DISTILLATION = 0.5


@dataclass(frozen=True)
class TrainingRequest:
    """What `train` was asked for.

    Attributes:
        data: folder of the data set.
        out: folder of the run; None: `runs/MODEL` in the root.
        root: the workspace or current folder.
        recipe: name or file of the configuration; None: the run's own, else the default.
        overrides: configuration keys given as options; None values were not given.
        device: `auto`, `cpu` or `cuda`.
        init: checkpoint to start from; None: random weights.
        teacher: network to distil from, as for `ingest`; None: none, or that of the run.
        resume: go on with the run there.
        held_out: part of the samples that is only scored.
    """

    data: Path
    out: Path | None
    root: Path
    recipe: str | None
    overrides: dict[str, Any]
    device: str
    init: NetworkRef | None
    teacher: NetworkRef | None
    resume: bool
    held_out: float

    def resume_command(self, out: Path) -> str:
        """The command that goes on with this run."""
        words = ["dataengine", "train", "--data", str(self.data), "--out", str(out), "--resume"]
        if self.held_out != 0.1:
            words += ["--held-out", f"{self.held_out:g}"]
        return shlex.join(words)


def run_training(request: TrainingRequest, *, as_json: bool) -> bool:
    """Train and report; True if it was interrupted."""
    config, out = _plan(request)
    samples, held_out = hold_out(training_samples(request.data), request.held_out)
    config = compilable(config, request.device, len(samples))
    work = TrainingWork(
        config,
        samples,
        held_out,
        out,
        request.init,
        request.teacher,
        request.device,
        request.resume,
    )
    if fit(work, request.resume_command(out)):
        return True
    outcome = _outcome(out)
    if as_json:
        print_json(outcome)
    else:
        _report(outcome)
    return False


@dataclass(frozen=True)
class TrainingWork:
    """A training, decided to the end.

    Attributes:
        config: of it.
        samples: to learn from.
        held_out: scored after every epoch.
        out: folder of the run.
        init: checkpoint to start from; None: random weights.
        teacher: network to distil from; None: none, or that of the run.
        device: `auto`, `cpu` or `cuda`.
        resume: go on with the run there.
    """

    config: TrainingConfig
    samples: Sequence[Sample]
    held_out: Sequence[Sample]
    out: Path
    init: NetworkRef | None
    teacher: NetworkRef | None
    device: str
    resume: bool


def fit(work: TrainingWork, resume_command: str) -> bool:
    """Train with progress on the console; True if it was interrupted."""
    console = Console(stderr=True)
    config = work.config
    # OpenCV's threads and the processes that augment, forked from this one, do not mix.
    cv2.setNumThreads(0)
    console.print(
        f"Training {config.model} on {len(work.samples):,} images, {len(work.held_out):,} held "
        f"out, {config.encoder_epochs + config.epochs} epochs, in {work.out}",
        highlight=False,
        soft_wrap=True,
    )
    try:
        soft_masks = _soft_masks(work)
        with training_progress(console) as observer:
            train(
                config,
                work.samples,
                work.out,
                held_out=work.held_out,
                soft_masks=soft_masks,
                initial=work.init,
                resume=work.resume,
                device=work.device,
                progress=observer,
            )
    except KeyboardInterrupt:
        _report_stop(work.out, resume_command)
        return True
    return False


def compilable(config: TrainingConfig, device: str, images: int) -> TrainingConfig:
    """The configuration, without compiling where there is no compiler or it would not pay.

    Args:
        config: as asked for.
        device: `auto`, `cpu` or `cuda`.
        images: to learn from.
    """
    if worth_compiling(config, images) and not has_compiler(device):
        typer.echo(
            "No C++ compiler here (g++ or clang++): training runs uncompiled, slower.", err=True
        )
    return settled(config, images, device)


def configuration(
    recipe: str | None,
    overrides: dict[str, Any],
    init: NetworkRef | None,
    teacher: NetworkRef | None,
    *,
    has_soft_masks: bool = False,
) -> TrainingConfig:
    """The configuration that options describe, every name in them checked.

    Args:
        recipe: name or file; None: the network's default.
        overrides: keys given as options; None values were not given.
        init: checkpoint to start from; None: random weights.
        teacher: network to distil from; None: none.
        has_soft_masks: an interrupted run has asked its teacher already.

    Raises:
        ConfigError: a wrong configuration, or a recipe that wants a teacher.
        ModelError: no such checkpoint or teacher, or a network of the wrong kind.
    """
    config = load_config(recipe or default_recipe(overrides["model"]), overrides)
    if teacher and not config.losses.distillation:
        losses = config.losses.model_copy(update={"distillation": _DISTILLATION})
        config = config.model_copy(update={"losses": losses})
    if config.losses.distillation and not teacher and not has_soft_masks:
        raise ConfigError("the recipe distils from a teacher; name it with --teacher.")
    if teacher:
        check_network(teacher)
    if init:
        check_trainable(init, "--init")
    return config


def _plan(request: TrainingRequest) -> tuple[TrainingConfig, Path]:
    """Return the configuration and the folder of the run.

    Raises:
        ConfigError: a wrong configuration, no such device or file, or a folder that does not suit.
        ModelError: no such teacher.
    """
    recipe = request.recipe
    if request.resume and recipe is None:
        out = request.out or request.root / "runs" / (request.overrides["model"] or "sinet")
        if not (out / RESUME_FILE).is_file():
            raise ConfigError(f"{out}: there is no run to resume; name its folder with --out.")
        recipe = str(out / CONFIG_FILE)
    config = configuration(
        recipe, request.overrides, request.init, request.teacher, has_soft_masks=request.resume
    )
    out = request.out or request.root / "runs" / config.model
    if not request.resume and any((out / name).exists() for name in (RESUME_FILE, WEIGHTS_FILE)):
        raise ConfigError(f"{out}: holds a run; go on with it (--resume) or give another --out.")
    nearest = next(folder for folder in (out, *out.parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise ConfigError(f"{nearest}: not a folder that can be written to; give another --out.")
    choose_device(request.device)
    return config, out


def _soft_masks(work: TrainingWork) -> Path | None:
    """Let the teacher look at all images, those it has not seen yet; None without distillation."""
    if not work.config.losses.distillation:
        return None
    folder = work.out / _SOFT_MASKS
    if work.teacher:
        teacher = load_network(work.teacher, device=work.device, threads=os.cpu_count() or 1)
        samples = shown(work.samples, teacher.name)
        write_soft_masks(samples, lambda image: teacher.person_probability([image])[0], folder)
    return folder


def _report_stop(out: Path, resume_command: str) -> None:
    if (out / RESUME_FILE).exists():
        done = len(read_log(out))
        typer.echo(f"Stopped. {done} epochs are kept; to go on: {resume_command}", err=True)
    else:
        typer.echo("Stopped before the first epoch ended: nothing to resume.", err=True)


def _outcome(out: Path) -> dict[str, Any]:
    """Where the results of a run are, and the numbers of its last epoch; None: not there."""
    last = read_log(out)[-1]
    return {
        "weights": str(out / WEIGHTS_FILE),
        "curves": str(out / LOG_FILE),
        "tensorboard": _if_there(out / TENSORBOARD_FOLDER),
        "overlays": _if_there(out / OVERLAY_FOLDER),
        "epochs": last.epoch,
        "loss": last.loss,
        "held_out_iou": None if math.isnan(last.held_out_iou) else last.held_out_iou,
    }


def _if_there(path: Path) -> str | None:
    return str(path) if path.exists() else None


def _report(outcome: dict[str, Any]) -> None:
    score = outcome["held_out_iou"]
    shown = "" if score is None else f", held-out IoU {score:.4f}"
    typer.echo(f"{outcome['epochs']} epochs, loss {outcome['loss']:.4f}{shown}")
    for name in ("weights", "curves", "tensorboard", "overlays"):
        if outcome[name] is not None:
            typer.echo(f"{name + ':':<13}{outcome[name]}")
