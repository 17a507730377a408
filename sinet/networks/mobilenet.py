"""MobileNetV3 (small) up to its last features (arXiv 1905.02244, table 2), dilated to 1/16.

The layers, names and weights are torchvision's `mobilenet_v3_small(dilated=True).features`, as a
test says. Described here because `import torchvision` loads PyTorch's compiler: seconds and
hundreds of megabytes, for every worker that asks the bundled network.
"""

from functools import partial
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from sinet.networks.layers import convolution

CHANNELS: Final = 576
"""Of the last features."""

REDUCED_CHANNELS: Final = 288
"""Likewise, with half of the filters in the last blocks."""

LOW_END: Final = 4
"""The first layers, up to 1/8 of the size."""

LOW_CHANNELS: Final = 24
"""Of what comes out there."""

_FIRST_CHANNELS: Final = 16
_norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


class _Row(NamedTuple):
    """A row of the paper's table 2: a block."""

    kernel: int
    expanded: int
    outputs: int
    gated: bool
    hard_swish: bool
    stride: int = 1
    rate: int = 1
    residual: bool = True  # where size and channels stay


_BLOCKS: Final = (
    _Row(3, 16, 16, gated=True, hard_swish=False, stride=2),
    _Row(3, 72, 24, gated=False, hard_swish=False, stride=2),
    _Row(3, 88, 24, gated=False, hard_swish=False),
    _Row(5, 96, 40, gated=True, hard_swish=True, stride=2),
    _Row(5, 240, 40, gated=True, hard_swish=True),
    _Row(5, 240, 40, gated=True, hard_swish=True),
    _Row(5, 120, 48, gated=True, hard_swish=True),
    _Row(5, 144, 48, gated=True, hard_swish=True),
    # Of stride 2 in the paper: here the kernels spread instead.
    _Row(5, 288, 96, gated=True, hard_swish=True, rate=2),
    _Row(5, 576, 96, gated=True, hard_swish=True, rate=2),
    _Row(5, 576, 96, gated=True, hard_swish=True, rate=2),
)
_REDUCED_BLOCKS: Final = (
    *_BLOCKS[:-3],
    _Row(5, 288, 48, gated=True, hard_swish=True, rate=2, residual=False),
    _Row(5, 288, 48, gated=True, hard_swish=True, rate=2),
    _Row(5, 288, 48, gated=True, hard_swish=True, rate=2),
)


def mobilenet_features(*, reduced: bool = False) -> nn.Sequential:
    """Return the layers, with random weights: (N, 3, H, W) to (N, 576, H / 16, W / 16).

    Args:
        reduced: half of the filters in the last blocks (the article's segmentation): 288 channels.
    """
    layers: list[nn.Module] = [_unit(3, _FIRST_CHANNELS, 3, nn.Hardswish, stride=2)]
    inputs = _FIRST_CHANNELS
    for row in _REDUCED_BLOCKS if reduced else _BLOCKS:
        layers.append(_Block(inputs, row))
        inputs = row.outputs
    last = REDUCED_CHANNELS if reduced else CHANNELS
    layers.append(_unit(inputs, last, 1, nn.Hardswish))
    features = nn.Sequential(*layers)
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return features


class _Block(nn.Module):
    """Expand, convolve each channel, maybe gate them, reduce; added to what came in."""

    def __init__(self, inputs: int, row: _Row) -> None:
        super().__init__()
        self.is_residual = row.residual and row.stride == 1 and inputs == row.outputs
        activation = nn.Hardswish if row.hard_swish else nn.ReLU
        layers: list[nn.Module] = []
        if row.expanded != inputs:
            layers.append(_unit(inputs, row.expanded, 1, activation))
        layers.append(
            _unit(
                row.expanded,
                row.expanded,
                row.kernel,
                activation,
                stride=row.stride,
                rate=row.rate,
                groups=row.expanded,
            )
        )
        if row.gated:
            layers.append(_Gate(row.expanded))
        layers.append(_unit(row.expanded, row.outputs, 1, None))
        self.block = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        found: Tensor = self.block(features)
        return found + features if self.is_residual else found


class _Gate(nn.Module):
    """Squeeze and excitation: every channel times 0..1, by the means of all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = _multiple_of_8(channels // 4)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        squeezed = torch.relu(self.fc1(nn.functional.adaptive_avg_pool2d(features, 1)))
        return nn.functional.hardsigmoid(self.fc2(squeezed)) * features


def _unit(
    inputs: int,
    outputs: int,
    kernel: int,
    activation: type[nn.Hardswish | nn.ReLU] | None,
    *,
    stride: int = 1,
    rate: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        convolution(inputs, outputs, kernel, stride=stride, rate=rate, groups=groups),
        _norm(outputs),
    ]
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers)


def _multiple_of_8(channels: int) -> int:
    """Rounded as the paper's authors do: never down by more than a tenth."""
    rounded = max(8, (channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
