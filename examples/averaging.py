"""Averaged weights, as the trainings of the shipped networks keep them."""

import torch
from torch import nn


def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the present ones."""
    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    with torch.no_grad():
        for mine, theirs in pairs:
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)
