"""A network that learns step by step: its optimiser, its averaged weights, its loss."""

import math
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sinet.data.batches import Batch
from sinet.losses.total import Target, targets_of, total_loss
from sinet.networks import SegmentationNetwork
from sinet.processes import processes, summed
from sinet.training.config import TrainingConfig
from sinet.training.optimisation import AveragedWeights, build_optimiser
from sinet.training.together import share_batches


class Learner:
    """The moving tensors of a run.

    With other processes each step sees the parts of all of them: the numbers are those of one
    process with the whole batch, but for rounding.

    Args:
        network: on the device it learns on.
        config: of the run.

    Attributes:
        network: as given.
        average: of its weights over the steps; None: it is not taken.
    """

    def __init__(self, network: SegmentationNetwork, config: TrainingConfig) -> None:
        self.network = network
        self._config = config
        self._device = next(network.parameters()).device
        self._layout = torch.channels_last if config.channels_last else torch.contiguous_format
        if processes() > 1:
            share_batches(network)
        self._optimiser = build_optimiser(network, config)
        self.average = self._averaged()
        # Compiled sums over processes have not been measured: several run as they are.
        compiles = config.compile and processes() == 1
        self._loss: Callable[..., Tensor] = (
            torch.compile(self._loss_of, dynamic=False) if compiles else self._loss_of
        )
        self._shared = partial(_averaging_gradients, network, self._loss_of)
        self._of_encoder: bool | None = None

    def begin_stage(self, weights: Mapping[str, Tensor] | None) -> None:
        """Take a fresh optimiser, and weights to go on from; None: those that are there."""
        if weights is not None:
            self.network.load_state_dict(weights)
        self._optimiser = build_optimiser(self.network, self._config)
        self.average = self._averaged()

    def step(self, batch: Batch, rate: float, *, encoder_only: bool) -> float:
        """Learn from a batch; return its loss. Nothing is learnt where that is not a number."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        images = batch.images.to(self._device, non_blocking=True)
        labels = batch.labels.to(self._device, non_blocking=True)
        teacher = None if batch.teacher is None else batch.teacher.to(self._device)
        strides = self.network.strides[1:] if encoder_only else self.network.strides
        if processes() > 1 and encoder_only is not self._of_encoder:
            self._loss, self._of_encoder = self._shared(), encoder_only
        targets = targets_of(labels, strides, teacher, classes=self.network.classes)
        loss = self._loss(images, targets, encoder_only)
        value = (summed(loss.detach()) / processes()).item()
        if not math.isfinite(value):
            return value
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self._config.max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._config.max_gradient_norm)
        self._optimiser.step()
        if self.average is not None:
            self.average.update(self.network)
        return value

    def state(self) -> dict[str, Any]:
        """What `restore` takes: tensors and plain values."""
        average = self.average
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": None if average is None else average.values,
            "average_updates": 0 if average is None else average.updates,
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state, whatever the number of processes that it was taken of."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            for name, value in state["average"].items():
                self.average.values[name].copy_(value)
            self.average.updates = state["average_updates"]
        torch.set_rng_state(state["random"])

    def _averaged(self) -> AveragedWeights | None:
        decay = self._config.ema_decay
        return None if decay is None else AveragedWeights(self.network, decay)

    def _loss_of(self, images: Tensor, targets: tuple[Target, ...], encoder_only: bool) -> Tensor:
        pixels = self._config.input.normalise(images).contiguous(memory_format=self._layout)
        mixed = self._config.mixed_precision and self._device.type == "cuda"
        weights = self._config.losses
        extra: dict[str, Tensor] = {}
        with torch.autocast(self._device.type, torch.bfloat16, enabled=mixed):
            if encoder_only:
                outputs = self.network.training_logits(pixels, encoder_only=True)
            else:
                labels = targets[0].labels
                outputs, extra = self.network.training_step(pixels, labels, weights.extra)
        loss = total_loss(outputs, targets, weights)
        for name, value in extra.items():
            loss = loss + weights.extra[name] * value
        return loss


class _Loss(nn.Module):
    """A loss as a module over the network's parameters, as `DistributedDataParallel` wants it."""

    def __init__(self, network: SegmentationNetwork, loss: Any) -> None:
        super().__init__()
        self.network = network
        self._loss = loss

    def forward(self, images: Tensor, targets: tuple[Target, ...], encoder_only: bool) -> Tensor:
        """Return the loss of the own part of a batch."""
        loss: Tensor = self._loss(images, targets, encoder_only)
        return loss


def _averaging_gradients(network: SegmentationNetwork, loss: Any) -> DistributedDataParallel:
    """The loss of one stage, in all steps of which the same parameters have gradients."""
    with warnings.catch_warnings():
        # Since PyTorch 2.15 it has another name, which older ones do not know.
        warnings.filterwarnings("ignore", "`broadcast_buffers`", FutureWarning)
        return DistributedDataParallel(
            _Loss(network, loss),
            broadcast_buffers=False,  # the layers see the whole batch: they are the same everywhere
            static_graph=True,
        )
