"""Optimiser, learning rate and averaged weights."""

import math
from typing import Final

import torch
from torch import Tensor, nn

from sinet.training.config import TrainingConfig

_MOMENTUM: Final = 0.9


def build_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimiser over three groups of parameters, each with its own weight decay.

    Ordinary convolutions decay as configured, depthwise ones (few weights, each of them needed)
    and all that is no convolution hardly or not at all.
    """
    dense: list[Tensor] = []
    depthwise: list[Tensor] = []
    small: list[Tensor] = []
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d) or parameter.dim() == 1:
                small.append(parameter)
            elif module.in_channels > 1 and module.groups == module.in_channels:
                depthwise.append(parameter)
            else:
                dense.append(parameter)
    groups = [
        {"params": dense, "weight_decay": config.weight_decay},
        {"params": depthwise, "weight_decay": config.depthwise_decay},
        {"params": small, "weight_decay": config.small_decay},
    ]
    used = [group for group in groups if group["params"]]
    if config.optimiser == "sgd":
        return torch.optim.SGD(used, lr=config.learning_rate, momentum=_MOMENTUM, fused=True)
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    return kind(used, lr=config.learning_rate, fused=True)


def learning_rate(config: TrainingConfig, step: int, steps: int, warmup_steps: int) -> float:
    """Return the learning rate of a step of a stage.

    Args:
        config: with schedule and peak.
        step: from 0.
        steps: of the stage.
        warmup_steps: during which it rises linearly.
    """
    if step < warmup_steps:
        return config.learning_rate * (step + 1) / (warmup_steps + 1)
    part = (step - warmup_steps) / max(1, steps - warmup_steps)
    if config.schedule == "poly":
        factor = math.pow(1 - part, config.poly_power)
    elif config.schedule == "cosine":
        factor = 0.5 * (1 + math.cos(math.pi * part))
    else:
        factor = config.step_factor ** sum(part >= at for at in config.step_at)
    return config.learning_rate * factor


class AveragedWeights:
    """Exponential moving average of a network's parameters and buffers.

    Early on it averages over fewer steps, or the random start would stay in it for long.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights after a step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        floats, news = [], []
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                floats.append(self.values[name])
                news.append(value)
            else:
                self.values[name].copy_(value)
        torch._foreach_lerp_(floats, news, 1 - decay)
