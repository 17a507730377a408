"""A student learns: from a request to a configuration, and from samples to weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2

from pipelines.networks import check_network, check_trainable
from pipelines.rounds.requests import StudentRequest
from pipelines.rounds.soft_masks import Consultation, consult
from pipelines.workspace.progress import Progress
from pipelines.workspace.settings import Settings
from sinet.data import Sample
from sinet.errors import ConfigError
from sinet.training import (
    EpochRecord,
    Run,
    TrainingConfig,
    default_recipe,
    load_config,
    train_in_processes,
)
from sinet.training.compiling import has_compiler, settled, worth_compiling
from sinet.training.launching import check_processes
from sinet.training.records import read_log

SOFT_MASKS: Final = "soft_masks"
"""Folder in a run's: what the teacher says of each of its images."""

_DISTILLATION: Final = 0.5
"""Weight of the teacher's soft masks where the recipe gives none."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is learnt from, and where to.

    Attributes:
        samples: to learn from.
        held_out: scored after every epoch.
        out: folder of the run.
        resume: go on with the run there.
        settings: of the workers that ask a teacher.
    """

    samples: Sequence[Sample]
    held_out: Sequence[Sample]
    out: Path
    resume: bool
    settings: Settings = field(default_factory=Settings)


def configuration(request: StudentRequest, *, has_soft_masks: bool = False) -> TrainingConfig:
    """The configuration that a request describes, every name in it checked.

    Args:
        request: its networks are resolved.
        has_soft_masks: an interrupted run has asked its teacher already.

    Raises:
        ConfigError: a wrong configuration, a recipe that wants a teacher, or batches that so many
            processes cannot share.
        DeviceError: fewer GPUs than processes.
        ModelError: no such checkpoint or teacher, or a network of the wrong kind.
    """
    config = load_config(request.config or default_recipe(request.model), request.overrides())
    if request.teacher and not config.losses.distillation:
        losses = config.losses.model_copy(update={"distillation": _DISTILLATION})
        config = config.model_copy(update={"losses": losses})
    if config.losses.distillation and not request.teacher and not has_soft_masks:
        raise ConfigError("the recipe distils from a teacher; name it with --teacher.")
    if request.teacher:
        check_network(request.teacher)
    if request.init:
        check_trainable(request.init, "--init")
    check_processes(request.nproc, config, request.device)
    return config


def learn(
    request: StudentRequest, config: TrainingConfig, lesson: Lesson, progress: Progress
) -> bool:
    """Train until the end; False if Ctrl-C or the listener stopped it before.

    Args:
        request: its networks are resolved.
        config: as `configuration` made it.
        lesson: what to learn from.
        progress: told of every epoch.

    Raises:
        DataError: an image or mask cannot be read.
        ConfigError: the folder holds another run.
        CheckpointError: the weights to start from, or the run's, are damaged or another network's.
        TrainingError: the loss is not a number, or one of several processes was killed.
    """
    # OpenCV's threads and the processes that augment, forked from this one, do not mix.
    cv2.setNumThreads(0)
    config = _compilable(config, request.device, len(lesson.samples), progress)
    progress.say(
        f"Training {config.model} on {len(lesson.samples):,} images, {len(lesson.held_out):,} held "
        f"out, {config.encoder_epochs + config.epochs} epochs, in {lesson.out}"
        + (f", in {request.nproc} processes" if request.nproc > 1 else "")
    )
    try:
        soft_masks = _soft_masks(request, config, lesson, progress)
        run = Run(
            config=config,
            samples=lesson.samples,
            out=lesson.out,
            held_out=lesson.held_out,
            soft_masks=soft_masks,
            init=request.init,
            resume=lesson.resume,
            device=request.device,
        )
        epochs = _Epochs(progress, config, kept_epochs(lesson.out) if lesson.resume else 0)
        train_in_processes(run, request.nproc, epochs)
    except KeyboardInterrupt:
        return False
    return True


def kept_epochs(out: Path) -> int:
    """How many epochs of a run are on disk."""
    try:
        return len(read_log(out))
    except FileNotFoundError:
        return 0


class _Epochs:
    """Tells of every epoch, and stops between two of them."""

    def __init__(self, progress: Progress, config: TrainingConfig, done: int) -> None:
        self._progress = progress
        self._encoder, self._total = config.encoder_epochs, config.encoder_epochs + config.epochs
        self._begin(done)

    def __call__(self, record: EpochRecord, total: int) -> None:
        self._progress.advance(1, _note(record))
        if self._progress.stopping():
            raise KeyboardInterrupt
        if record.epoch == self._encoder < total:
            self._begin(record.epoch)

    def _begin(self, done: int) -> None:
        stage = "encoder" if done < self._encoder else "whole"
        self._progress.begin(stage, self._total, done=done)


def _note(record: EpochRecord) -> str:
    parts = [f"loss {record.loss:.4f}"]
    if not math.isnan(record.held_out_iou):
        parts.append(f"held-out IoU {record.held_out_iou:.4f}")
    return ", ".join([*parts, f"{record.images_per_second:.1f} images/s"])


def _compilable(
    config: TrainingConfig, device: str, images: int, progress: Progress
) -> TrainingConfig:
    """Without compiling where there is no compiler or it would not pay."""
    if worth_compiling(config, images) and not has_compiler(device):
        progress.say("No C++ compiler here (g++ or clang++): training runs uncompiled, slower.")
    return settled(config, images, device)


def _soft_masks(
    request: StudentRequest, config: TrainingConfig, lesson: Lesson, progress: Progress
) -> Path | None:
    """Let the teacher look at all images, those it has not seen yet; None without distillation."""
    if not config.losses.distillation:
        return None
    folder = lesson.out / SOFT_MASKS
    if request.teacher:
        consultation = Consultation(
            samples=lesson.samples, teacher=request.teacher, device=request.device, folder=folder
        )
        try:
            finished = consult(consultation, lesson.out, lesson.settings, progress)
        finally:
            cv2.setNumThreads(0)  # a worker in this process has set it
        if not finished:
            raise KeyboardInterrupt
    return folder
