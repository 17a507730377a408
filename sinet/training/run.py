"""Train a network in two stages: the encoder with its own head, then the whole."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sinet.checkpoint import Model, save_checkpoint
from sinet.class_scores import HeldOutClasses
from sinet.data.batches import AugmentedSamples, Batch, Batches
from sinet.data.listing import Sample
from sinet.data.reading import PixelCache
from sinet.errors import ConfigError, DataError, TrainingError
from sinet.evaluate import HeldOutSet
from sinet.losses.total import Target, targets_of, total_loss
from sinet.network_ref import NetworkRef
from sinet.networks import build_network
from sinet.run_files import CONFIG_FILE, OVERLAY_FOLDER, RESUME_FILE, WEIGHTS_FILE
from sinet.training.classes import classes_to_learn
from sinet.training.config import TrainingConfig
from sinet.training.init_weights import read_init_weights
from sinet.training.optimisation import AveragedWeights, build_optimiser, learning_rate
from sinet.training.records import EpochRecord, TensorBoard, write_log, write_overlays
from sinet.training.state import load_state, save_state

Progress = Callable[[EpochRecord, int], None]
"""Called after every epoch with its record and the number of epochs of the run."""


class _Stage(NamedTuple):
    """One of the two stages."""

    name: str
    first_epoch: int
    epochs: int
    encoder_only: bool
    batches: Batches


def train(
    config: TrainingConfig,
    samples: Sequence[Sample],
    out: Path | str,
    *,
    held_out: Sequence[Sample] = (),
    soft_masks: Path | None = None,
    init: NetworkRef | Path | str | None = None,
    resume: bool = False,
    device: str = "auto",
    stop_after: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train from random or given weights, or go on with an interrupted run.

    Writes to `out`, after every epoch: `log.csv`, TensorBoard events, `resume.pt` (the state of the
    run) and `last.safetensors` (the weights, averaged if so configured); overlays of held-out
    samples ten times a run; `config.json` at the start.

    Args:
        config: all that decides the run.
        samples: to learn from.
        out: folder of the run; made if it is missing.
        held_out: scored after every epoch, never learnt from.
        soft_masks: folder of a teacher's masks to distil from, as `write_soft_masks` makes it.
        init: checkpoint to start from instead of random weights.
        resume: go on with the run in `out`, to the same numbers as without the interruption.
        device: `cpu`, `cuda`, …, or `auto`: the GPU if there is one.
        stop_after: end early after this epoch; the schedule is that of the whole run.
        progress: told of every epoch.

    Returns:
        The file of the weights.

    Raises:
        DataError: no samples, or one that cannot be read.
        ConfigError: `out` holds a run already, or one of another configuration or data.
        CheckpointError: there is no run to resume, or it is damaged; or `init` is, or holds
            another network.
        NetworkError: pretrained weights cannot be downloaded, or there are none.
        TrainingError: the loss is not a number; the message names the files of the batch.
    """
    if not samples:
        raise DataError("there is no sample to train on.")
    if config.losses.distillation and soft_masks is None:
        raise ConfigError("the distillation weight is above 0, but there are no soft masks.")
    if config.best_after is not None and not held_out:
        raise ConfigError("best_after chooses by what is held out, and nothing is.")
    run = _Run(config, samples, Path(out), held_out, soft_masks, init, resume, device)
    return run.go(stop_after, progress)


class _Run:
    """The moving parts of a run."""

    def __init__(
        self,
        config: TrainingConfig,
        samples: Sequence[Sample],
        out: Path,
        held_out: Sequence[Sample],
        soft_masks: Path | None,
        init: NetworkRef | Path | str | None,
        resume: bool,
        device: str,
    ) -> None:
        self.config, self.out = config, out
        self.identity: dict[str, Any] = {
            "config": config.model_dump(mode="json"),
            "samples": [sample.name for sample in samples],
        }
        state = load_state(out) if resume else None
        self._check_folder(state)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.device = _device(device)
        classes = classes_to_learn(config, [*samples, *held_out])
        self.class_names = None if classes is None else list(classes.names)
        self.classes = 2 if classes is None else len(classes.names)
        held_out_set = HeldOutSet if classes is None else HeldOutClasses
        self.held_out = held_out_set(held_out, config.input) if held_out else None
        cache = PixelCache(samples, config.cache_px, soft_masks)
        self.samples = AugmentedSamples(cache, config.augmentation, config.seed)
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        torch.manual_seed(config.seed)
        network = build_network(config.model, self.classes, config.options)
        if min(config.batch, len(samples)) < network.smallest_training_batch:
            raise DataError(f"{config.model} normalises over the batch: one sample is too few.")
        self.init: str | None = None
        if init is not None and state is None:
            self.init, tensors = read_init_weights(init, network)
            network.load_state_dict(tensors)
        elif config.pretrained and state is None:
            network.load_pretrained()
        self.network = network.to(self.device).to(memory_format=self.layout)
        self.judge = build_network(config.model, self.classes, config.options).to(self.device)
        self.optimiser = build_optimiser(self.network, config)
        self.average = self._averaged()
        self.best: dict[str, Tensor] | None = None
        self.best_score = 0.0
        self.records: list[EpochRecord] = []
        self.epoch = 0
        if state is not None:
            self._restore(state)
        self._loss = (
            torch.compile(self._loss_of, dynamic=False) if config.compile else self._loss_of
        )

    def go(self, stop_after: int | None, progress: Progress | None) -> Path:
        """Train until the end, or `stop_after`."""
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / CONFIG_FILE).write_text(self.config.model_dump_json(indent=2) + "\n")
        total = self.config.encoder_epochs + self.config.epochs
        board = TensorBoard(self.out, self.epoch + 1)
        try:
            for stage in self._stages():
                if self.epoch == stage.first_epoch:
                    self._enter(stage)
                while self.epoch < min(stage.first_epoch + stage.epochs, stop_after or total):
                    record = self._epoch(stage)
                    board.add(record)
                    self._write(total, board)
                    if progress is not None:
                        progress(record, total)
        finally:
            board.close()
        return self.out / WEIGHTS_FILE

    def _stages(self) -> list[_Stage]:
        config = self.config
        plans = (
            ("encoder", 0, config.encoder_epochs, config.encoder_batch),
            ("whole", config.encoder_epochs, config.epochs, config.batch),
        )
        return [
            _Stage(
                name,
                first,
                epochs,
                name == "encoder",
                Batches(
                    self.samples,
                    batch,
                    config.seed,
                    config.workers,
                    steps=config.epoch_steps(encoder_only=name == "encoder"),
                ),
            )
            for name, first, epochs, batch in plans
            if epochs
        ]

    def _enter(self, stage: _Stage) -> None:
        """Begin a stage with a fresh optimiser; the second on the first's averaged encoder."""
        if stage.first_epoch > 0 and self.average is not None:
            self.network.load_state_dict(self.average.values)
        self.optimiser = build_optimiser(self.network, self.config)
        self.average = self._averaged()

    def _epoch(self, stage: _Stage) -> EpochRecord:
        config, began = self.config, time.perf_counter()
        done = self.epoch - stage.first_epoch
        sides = self._sides(stage, done)
        steps = len(stage.batches)
        warmup = round(config.warmup_epochs * steps)
        self.network.train()
        losses, rate, seen = [], 0.0, 0
        for number, batch in enumerate(stage.batches.epoch(self.epoch, *sides)):
            rate = learning_rate(config, done * steps + number, stage.epochs * steps, warmup)
            losses.append(self._step(batch, rate, stage.encoder_only))
            seen += len(batch.names)
        learnt = time.perf_counter() - began
        self.epoch += 1
        score = self._judge(stage)
        record = EpochRecord(
            epoch=self.epoch,
            stage=stage.name,
            learning_rate=rate,
            loss=math.fsum(losses) / len(losses),
            held_out_iou=score,
            images_per_second=seen / learnt,
            seconds=time.perf_counter() - began,
        )
        self.records.append(record)
        return record

    def _sides(self, stage: _Stage, done: int) -> tuple[int, ...]:
        """Sides that images have in an epoch of a stage, after `done` of its epochs."""
        config = self.config
        if stage.encoder_only:
            return (config.input.height,)
        if config.early_side_px and done < config.early_part * stage.epochs:
            return (config.early_side_px,)
        return (config.input.height, *config.also_sides_px)

    def _step(self, batch: Batch, rate: float, encoder_only: bool) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        images = batch.images.to(self.device, non_blocking=True)
        labels = batch.labels.to(self.device, non_blocking=True)
        teacher = None if batch.teacher is None else batch.teacher.to(self.device)
        strides = self.network.strides[1:] if encoder_only else self.network.strides
        targets = targets_of(labels, strides, teacher, classes=self.classes)
        loss = self._loss(images, targets, encoder_only)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in epoch {self.epoch + 1}, batch of "
                f"{', '.join(batch.names)}: look at these files or lower the learning rate; "
                f"{self.out / RESUME_FILE} holds the epoch before."
            )
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self.config.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.max_gradient_norm)
        self.optimiser.step()
        if self.average is not None:
            self.average.update(self.network)
        return value

    def _loss_of(self, images: Tensor, targets: tuple[Target, ...], encoder_only: bool) -> Tensor:
        pixels = self.config.input.normalise(images).contiguous(memory_format=self.layout)
        mixed = self.config.mixed_precision and self.device.type == "cuda"
        weights = self.config.losses
        extra: dict[str, Tensor] = {}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            if encoder_only:
                outputs = self.network.training_logits(pixels, encoder_only=True)
            else:
                labels = targets[0].labels
                outputs, extra = self.network.training_step(pixels, labels, weights.extra)
        loss = total_loss(outputs, targets, weights)
        for name, value in extra.items():
            loss = loss + weights.extra[name] * value
        return loss

    def _judge(self, stage: _Stage) -> float:
        """Return the held-out score of the averaged weights."""
        values = self.network.state_dict() if self.average is None else self.average.values
        self.judge.load_state_dict(values)
        self.judge.eval()
        if self.held_out is None or stage.encoder_only:
            return math.nan
        score = self.held_out.score(self.judge)
        self._choose(stage, score)
        return score

    def _choose(self, stage: _Stage, score: float) -> None:
        """Let the judge have the best epoch's weights, where that is what is kept."""
        after = self.config.best_after
        if after is None or self.epoch - stage.first_epoch < after * stage.epochs:
            return
        if self.best is None or score > self.best_score:
            tensors = self.judge.state_dict().items()
            self.best, self.best_score = {name: each.clone() for name, each in tensors}, score
        self.judge.load_state_dict(self.best)

    def _write(self, total: int, board: TensorBoard) -> None:
        write_log(self.out, self.records)
        every = max(1, total // 10)
        pictures = self.held_out.pictures[: self.config.overlays] if self.held_out else []
        if self.held_out and pictures and (self.epoch % every == 0 or self.epoch == total):
            masks = self.held_out.masks(self.judge, self.config.overlays)
            path = self.out / OVERLAY_FOLDER / f"{self.epoch:04}.png"
            board.add_overlays(write_overlays(path, pictures, masks), self.epoch)
        training = {
            **self.identity,
            "samples": len(self.identity["samples"]),
            "epoch": self.epoch,
            "init": self.init,
            **({} if self.class_names is None else {"class_names": self.class_names}),
        }
        save_checkpoint(self.out / WEIGHTS_FILE, Model(self.judge, self.config.input, training))
        save_state(self.out, self._state())

    def _state(self) -> dict[str, Any]:
        average = self.average
        return {
            **self.identity,
            "epoch": self.epoch,
            "init": self.init,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "best_score": self.best_score,
            "average": None if average is None else average.values,
            "average_updates": 0 if average is None else average.updates,
            "random": torch.get_rng_state(),
            "records": [asdict(record) for record in self.records],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self.init = state.get("init")  # not in the states of older versions, nor the next two
        self.best, self.best_score = state.get("best"), state.get("best_score", 0.0)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            for name, value in state["average"].items():
                self.average.values[name].copy_(value)
            self.average.updates = state["average_updates"]
        torch.set_rng_state(state["random"])
        self.records = [EpochRecord(**record) for record in state["records"]]

    def _averaged(self) -> AveragedWeights | None:
        decay = self.config.ema_decay
        return None if decay is None else AveragedWeights(self.network, decay)

    def _check_folder(self, state: dict[str, Any] | None) -> None:
        if state is None:
            if (self.out / RESUME_FILE).exists():
                raise ConfigError(f"{self.out}: holds a run: resume it or choose another folder.")
        elif (former := TrainingConfig.model_validate(state["config"])) != self.config:
            # Compared as models: a setting that came later has its default in older runs.
            keys = [key for key, value in self.config if getattr(former, key) != value]
            raise ConfigError(f"{self.out}: its run has another configuration: {', '.join(keys)}.")
        elif state["samples"] != self.identity["samples"]:
            raise ConfigError(f"{self.out}: its run was trained on other samples.")


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
