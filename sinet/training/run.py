"""Train a network in two stages: the encoder with its own head, then the whole."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, distributed

from sinet.checkpoint import Model, save_checkpoint
from sinet.class_scores import HeldOutClasses
from sinet.data.batches import AugmentedSamples, Batch, Batches, Share
from sinet.data.listing import Sample
from sinet.data.reading import PixelCache
from sinet.errors import ConfigError, DataError, TrainingError
from sinet.evaluate import HeldOutSet
from sinet.network_ref import NetworkRef
from sinet.networks import build_network
from sinet.processes import processes, rank
from sinet.run_files import CONFIG_FILE, OVERLAY_FOLDER, RESUME_FILE, WEIGHTS_FILE
from sinet.training.classes import classes_to_learn
from sinet.training.config import TrainingConfig
from sinet.training.encoder_head import EncoderHead
from sinet.training.init_weights import read_init_weights
from sinet.training.learner import Learner
from sinet.training.optimisation import learning_rate
from sinet.training.records import EpochRecord, TensorBoard, write_log, write_overlays
from sinet.training.state import check_same_run, load_state, names_digest, save_state

Progress = Callable[[EpochRecord, int], None]
"""Called after every epoch with its record and the number of epochs of the run."""

SAVE_EVERY_S: Final = 300.0
"""Within an epoch that takes longer the state of the run is saved so often."""


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
    save_every_s: float = SAVE_EVERY_S,
    progress: Progress | None = None,
) -> Path:
    """Train from random or given weights, or go on with an interrupted run.

    Writes to `out`, after every epoch: `log.csv`, TensorBoard events, `resume.pt` (the state of the
    run; also within long epochs) and `last.safetensors` (the weights, averaged if so configured);
    overlays of held-out samples ten times a run; `config.json` at the start.

    In a process group of `torch.distributed` all processes call it alike and learn together, each
    from its part of every batch, and the first one writes: see `train_together`.

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
        save_every_s: seconds between two states that are saved within an epoch.
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
        raise ConfigError(
            "best_after chooses by what is held out, and nothing is: hold some out, or unset it."
        )
    run = _Run(config, samples, Path(out), held_out, soft_masks, init, resume, device)
    return run.go(stop_after, save_every_s, progress)


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
            "samples": names_digest(sample.name for sample in samples),
        }
        state = load_state(out) if resume else None
        check_same_run(out, state, config, self.identity["samples"])
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
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.learner = Learner(network.to(self.device).to(memory_format=layout), config)
        self.judge = build_network(config.model, self.classes, config.options).to(self.device)
        self.best: dict[str, Tensor] | None = None
        self.best_score = 0.0
        self.records: list[EpochRecord] = []
        self.epoch = 0
        self.losses: list[float] = []
        """Of the steps of the epoch under way."""

        if state is not None:
            self._restore(state)

    def go(self, stop_after: int | None, save_every_s: float, progress: Progress | None) -> Path:
        """Train until the end, or `stop_after`."""
        total = self.config.encoder_epochs + self.config.epochs
        board: TensorBoard | None = None
        if rank() == 0:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / CONFIG_FILE).write_text(self.config.model_dump_json(indent=2) + "\n")
            board = TensorBoard(self.out, self.epoch + 1)
        try:
            for stage in self._stages():
                if self.epoch == stage.first_epoch and not self.losses:
                    self.learner.begin_stage(self._learnt() if stage.first_epoch else None)
                    self.best, self.best_score = None, 0.0
                while self.epoch < min(stage.first_epoch + stage.epochs, stop_after or total):
                    record = self._epoch(stage, save_every_s)
                    if board is not None:
                        board.add(record)
                        self._write(total, board)
                    if progress is not None:
                        progress(record, total)
        finally:
            if board is not None:
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
                    share=Share(rank(), processes()),
                ),
            )
            for name, first, epochs, batch in plans
            if epochs
        ]

    def _epoch(self, stage: _Stage, save_every_s: float) -> EpochRecord:
        config, began = self.config, time.perf_counter()
        saved, seen, losses = began, 0, self.losses
        done = self.epoch - stage.first_epoch
        sides = self._sides(stage, done)
        steps = len(stage.batches)
        warmup = round(config.warmup_epochs * steps)

        def rate_of(step: int) -> float:
            return learning_rate(config, done * steps + step, stage.epochs * steps, warmup)

        self.learner.network.train()
        random = torch.get_rng_state()
        batches = stage.batches.epoch(self.epoch, *sides, done=len(losses))
        if losses:  # the loader has drawn from it when the epoch began
            torch.set_rng_state(random)
        for batch in batches:
            rate = rate_of(len(losses))
            loss = self.learner.step(batch, rate, encoder_only=stage.encoder_only)
            if not math.isfinite(loss):
                raise self._diverged(loss, batch)
            losses.append(loss)
            seen += len(batch.names) * processes()
            now = time.perf_counter()
            if rank() == 0 and now - saved >= save_every_s and len(losses) < steps:
                save_state(self.out, self._state())
                saved = now
        learnt = time.perf_counter() - began
        self.epoch, self.losses = self.epoch + 1, []
        score = self._judge(stage)
        record = EpochRecord(
            epoch=self.epoch,
            stage=stage.name,
            learning_rate=rate_of(steps - 1),
            loss=math.fsum(losses) / len(losses),
            held_out_iou=score,
            images_per_second=seen / learnt,
            seconds=time.perf_counter() - began,
        )
        self.records.append(record)
        return record

    def _diverged(self, loss: float, batch: Batch) -> TrainingError:
        parts: list[Any] = [batch.names]
        if processes() > 1:
            parts = [None] * processes()
            distributed.all_gather_object(parts, batch.names)
        names = ", ".join(name for part in parts for name in part)
        return TrainingError(
            f"the loss became {loss} in epoch {self.epoch + 1}, batch of {names}: look at these "
            f"files or lower the learning rate; {self.out / RESUME_FILE} holds what was before."
        )

    def _sides(self, stage: _Stage, done: int) -> tuple[int, ...]:
        """Sides that images have in an epoch of a stage, after `done` of its epochs."""
        config = self.config
        if stage.encoder_only:
            return (config.input.height,)
        if config.early_side_px and done < config.early_part * stage.epochs:
            return (config.early_side_px,)
        return (config.input.height, *config.also_sides_px)

    def _judge(self, stage: _Stage) -> float:
        """Return the held-out score of the averaged weights."""
        average = self.learner.average
        values = self.learner.network.state_dict() if average is None else average.values
        self.judge.load_state_dict(values)
        self.judge.eval()
        if self.held_out is None:
            return math.nan
        score = self.held_out.score(EncoderHead(self.judge) if stage.encoder_only else self.judge)
        self._choose(stage, score)
        return score

    def _learnt(self) -> Mapping[str, Tensor] | None:
        """What a stage goes on from: the best epoch's weights, the average; None: the last."""
        average = self.learner.average
        return self.best or (None if average is None else average.values)

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
        pictures = self.held_out.pictures(self.config.overlays) if self.held_out else []
        if self.held_out and pictures and (self.epoch % every == 0 or self.epoch == total):
            masks = self.held_out.masks(self.judge, self.config.overlays)
            path = self.out / OVERLAY_FOLDER / f"{self.epoch:04}.png"
            board.add_overlays(write_overlays(path, pictures, masks), self.epoch)
        training = {
            **self.identity,
            "samples": len(self.samples),
            "epoch": self.epoch,
            "init": self.init,
            **({} if self.class_names is None else {"class_names": self.class_names}),
        }
        save_checkpoint(self.out / WEIGHTS_FILE, Model(self.judge, self.config.input, training))
        save_state(self.out, self._state())

    def _state(self) -> dict[str, Any]:
        return {
            **self.identity,
            **self.learner.state(),
            "epoch": self.epoch,
            "losses": self.losses,
            "init": self.init,
            "best": self.best,
            "best_score": self.best_score,
            "records": [asdict(record) for record in self.records],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self.init = state.get("init")  # not in the states of older versions, nor the next three
        self.best, self.best_score = state.get("best"), state.get("best_score", 0.0)
        self.losses = state.get("losses", [])
        self.learner.restore(state)
        self.records = [EpochRecord(**record) for record in state["records"]]


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
