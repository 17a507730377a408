"""A student trained on any folder of images and masks; needs no workspace."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.rounds.learning import Lesson, configuration, kept_epochs, learn
from pipelines.rounds.requests import TrainRequest
from pipelines.workspace.progress import SILENT, Progress
from sinet.data import samples_to_learn, unused_masks
from sinet.data.checking import check_masks
from sinet.devices import choose_device
from sinet.errors import ConfigError
from sinet.pictures.masks import told
from sinet.run_files import (
    CONFIG_FILE,
    LOG_FILE,
    OVERLAY_FOLDER,
    RESUME_FILE,
    TENSORBOARD_FOLDER,
    WEIGHTS_FILE,
)
from sinet.training import TrainingConfig
from sinet.training.classes import classes_to_learn
from sinet.training.records import read_log


@dataclass(frozen=True)
class Trained:
    """What a run left, and the numbers of its last epoch.

    Attributes:
        out: folder of the run.
        interrupted: it was stopped before its end; `resume` goes on.
        epochs: that are done.
        weights: file of the last epoch's.
        curves: file of numbers by epoch.
        tensorboard: folder of the same; None: there is none.
        overlays: folder of pictures; None: there is none.
        loss: of the last epoch; None: there is none.
        held_out_iou: likewise; None where nothing was held out.
    """

    out: Path
    interrupted: bool
    epochs: int
    weights: Path
    curves: Path
    tensorboard: Path | None
    overlays: Path | None
    loss: float | None
    held_out_iou: float | None


def train_network(request: TrainRequest, progress: Progress = SILENT) -> Trained:
    """Train, or go on with a training that was interrupted.

    Args:
        request: what to learn from, how, and where to.
        progress: told of every epoch; stops it between two of them.

    Raises:
        ConfigError: a wrong configuration, no such device, or a folder that does not suit.
        ModelError: no such network, or one of the wrong kind.
        SINetError: as `sinet.training.train`.
    """
    config, out = _plan(request)
    samples, held_out = samples_to_learn(request.data, request.held_out, request.masks)
    together = [*samples, *held_out]
    classes_to_learn(config, together)  # what does not fit is told before the masks are read
    progress.say(f"Masks read as: {told(check_masks(together))}")
    if unused := unused_masks(together):
        progress.say(unused)
    lesson = Lesson(samples=samples, held_out=held_out, out=out, resume=request.resume)
    finished = learn(request, config, lesson, progress)
    return _outcome(out, interrupted=not finished)


def _plan(request: TrainRequest) -> tuple[TrainingConfig, Path]:
    """Return the configuration and the folder of the run."""
    if request.resume and request.config is None:
        out = request.out or request.runs / (request.model or "sinet")
        if not (out / RESUME_FILE).is_file():
            raise ConfigError(f"{out}: there is no run to resume; name its folder with --out.")
        request = replace(request, config=str(out / CONFIG_FILE))
    config = configuration(request, has_soft_masks=request.resume)
    out = request.out or request.runs / config.model
    if not request.resume and any((out / name).exists() for name in (RESUME_FILE, WEIGHTS_FILE)):
        raise ConfigError(f"{out}: holds a run; go on with it (--resume) or give another --out.")
    nearest = next(folder for folder in (out, *out.parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise ConfigError(f"{nearest}: not a folder that can be written to; give another --out.")
    choose_device(request.device)
    return config, out


def _outcome(out: Path, *, interrupted: bool) -> Trained:
    epochs = kept_epochs(out)
    last = read_log(out)[-1] if epochs else None
    iou = last.held_out_iou if last else math.nan
    return Trained(
        out=out,
        interrupted=interrupted,
        epochs=epochs,
        weights=out / WEIGHTS_FILE,
        curves=out / LOG_FILE,
        tensorboard=_if_there(out / TENSORBOARD_FOLDER),
        overlays=_if_there(out / OVERLAY_FOLDER),
        loss=last.loss if last else None,
        held_out_iou=None if math.isnan(iou) else iou,
    )


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None
