"""ESPNetV2 (arXiv 1811.11431): pyramids of spread depthwise kernels, each sum added to the next.

    image ─▶ 1/2 ─▶ 1/4 ─▶ 1/8: 4 units ─▶ 1/16: 8 units ─▶ pyramid ─▶ ×2 ─▶ + 1/8 ─▶ pyramid ─▶
    ─▶ ×2 ─▶ + 1/4 ─▶ pyramid ─▶ ×2 ─▶ + 1/2 ─▶ pyramid ─▶ ×2

Every halving is told again what the shrunk image shows. The decoder is that of the authors' later
code (sacmehta/EdgeNets), with which others count 0.79 M parameters at the scale 2.0 (the README of
Xilinx/DSRL); ours has 787,200 with 19 classes.
"""

import math
from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import (
    NormalisedActivation,
    convolution,
    depthwise,
    means_over,
    pad_to_multiple,
    resize,
    shuffle_channels,
)
from sinet.networks.options import Option

SIDE_MULTIPLE: Final = 16
_BRANCHES: Final = 4
_BASE: Final = 32
_DECODER: Final = (64, 48, 32)
_MOST_PROJECTED: Final = 16
_SIZES: Final = (2.0, 1.5, 1.0, 0.5, 0.1)
_SMALLEST_SIDE: Final = 5
_WIDE: Final = (1, 2, 3, 4)
_NARROW: Final = (1, 1, 2, 3)
"""Dilations of the four kernels: no farther in where features are small."""


class ESPNetV2(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: `scale`, by which the published channels are multiplied.
    """

    name: ClassVar[str] = "espnetv2"
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "scale": ("2.0", "1.5", "1.0", "0.5")
    }
    source: ClassVar[str] = "ESPNetV2, CVPR 2019, arXiv 1811.11431"
    licence: ClassVar[str] = "own description"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        width = int(_BASE * float(self.options["scale"]))
        half, quarter, eighth, sixteenth = (
            min(_BASE, width),
            2 * width,
            4 * width,
            8 * width,
        )
        self.stem = _unit(3, half, 3, stride=2)
        self.to_quarter = Shrinking(half, quarter, _WIDE)
        self.to_eighth = Shrinking(quarter, eighth, _WIDE)
        self.eighth = nn.Sequential(*(Pyramid(eighth, eighth, _WIDE) for _ in range(3)))
        self.to_sixteenth = Shrinking(eighth, sixteenth, _WIDE)
        self.sixteenth = nn.Sequential(*(Pyramid(sixteenth, sixteenth, _NARROW) for _ in range(7)))
        inner = max(1, min(classes // 2, _MOST_PROJECTED))
        inputs = (sixteenth, *_DECODER)
        self.views = nn.ModuleList(
            SizePyramid(before, inner, after)
            for before, after in zip(inputs, (*_DECODER, classes), strict=True)
        )
        self.skips = nn.ModuleList(
            GatedSkip(skip, width)
            for skip, width in zip((eighth, quarter, half), _DECODER, strict=True)
        )
        self.joins = nn.ModuleList(NormalisedActivation(width) for width in _DECODER)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, SIDE_MULTIPLE)
        half = self.stem(padded)
        quarter = self.to_quarter(half, padded)
        eighth = self.eighth(self.to_eighth(quarter, padded))
        features = self.sixteenth(self.to_sixteenth(eighth, padded))
        features = self.views[0](features)
        for number, low in enumerate((eighth, quarter, half)):
            skip = self.skips[number](low)
            joined = self.joins[number](skip + resize(features, like=skip))
            features = self.views[1 + number](joined)
        return resize(features, like=padded)[..., :height, :width]


class Pyramid(nn.Module):
    """EESP unit: reduce in groups, four spread depthwise kernels, each with the sum before it.

    Args:
        inputs: channels in.
        outputs: channels out; where they are as many, the input is added.
        rates: dilations of the kernels, from near to far.
        stride: 2 halves the size; then neither input nor activation follows.
    """

    def __init__(
        self, inputs: int, outputs: int, rates: tuple[int, ...], *, stride: int = 1
    ) -> None:
        super().__init__()
        self.stride, self.is_residual = stride, inputs == outputs
        inner = outputs // _BRANCHES
        self.reduce = _unit(inputs, inner, 1, groups=_BRANCHES)
        self.views = nn.ModuleList(depthwise(inner, stride=stride, rate=rate) for rate in rates)
        self.join = NormalisedActivation(outputs)
        self.mix = nn.Sequential(
            convolution(outputs, outputs, 1, groups=_BRANCHES), nn.BatchNorm2d(outputs)
        )
        self.activation = nn.PReLU(outputs) if stride == 1 else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        reduced = self.reduce(features)
        sums: list[Tensor] = []
        for view in self.views:
            seen = view(reduced)
            sums.append(sums[-1] + seen if sums else seen)
        mixed = self.mix(self.join(torch.cat(sums, dim=1)))
        if self.stride == 1 and self.is_residual:
            mixed = mixed + features
        activated: Tensor = self.activation(mixed)
        return activated


class Shrinking(nn.Module):
    """Halve the size: means beside a strided pyramid, plus what the shrunk image shows."""

    def __init__(self, inputs: int, outputs: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.pyramid = Pyramid(inputs, outputs - inputs, rates, stride=2)
        self.image = nn.Sequential(
            _unit(3, 3, 3), convolution(3, outputs, 1), nn.BatchNorm2d(outputs)
        )
        self.activation = nn.PReLU(outputs)

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        """Map (N, inputs, H, W) and images of any larger size to (N, outputs, H / 2, W / 2)."""
        joined = torch.cat((_halve(features), self.pyramid(features)), dim=1)
        while images.shape[-1] > joined.shape[-1]:
            images = _halve(images)
        activated: Tensor = self.activation(joined + self.image(images))
        return activated


class SizePyramid(nn.Module):
    """Look at few channels at several sizes, with a depthwise kernel each, and mix."""

    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.project = _unit(inputs, inner, 1)
        self.views = nn.ModuleList(depthwise(inner) for _ in _SIZES)
        joined = len(_SIZES) * inner
        self.join = NormalisedActivation(joined)
        self.mix = nn.Sequential(
            _unit(joined, inner, 3, groups=inner), nn.Conv2d(inner, outputs, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        projected = self.project(features)
        height, width = (int(side) for side in projected.shape[-2:])
        seen = []
        for view, size in zip(self.views, _SIZES, strict=True):
            shape = (_scaled(height, size), _scaled(width, size))
            seen.append(_resampled(view(_resampled(projected, shape)), (height, width)))
        joined = self.join(torch.cat(seen, dim=1))
        mixed: Tensor = self.mix(shuffle_channels(joined, len(_SIZES)))
        return mixed


class GatedSkip(nn.Module):
    """Features of an earlier size, brought to fewer channels and gated by their means."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.reduce = _unit(inputs, outputs, 3, groups=math.gcd(inputs, outputs))
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), convolution(inputs, outputs, 1), nn.Sigmoid()
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        gated: Tensor = self.reduce(features) * self.gate(features)
        return gated


def _scaled(side: int, size: float) -> int:
    return max(_SMALLEST_SIDE, math.ceil(side * size)) if size != 1 else side


def _resampled(features: Tensor, shape: tuple[int, int]) -> Tensor:
    """Enlarge bilinearly, or shrink to means over equal parts; to (N, C, *shape)."""
    if features.shape[-2] <= shape[0] and features.shape[-1] <= shape[1]:
        return functional.interpolate(features, shape, mode="bilinear", align_corners=True)
    return means_over(features, shape)


def _halve(features: Tensor) -> Tensor:
    return functional.avg_pool2d(features, 3, stride=2, padding=1)


def _unit(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        convolution(inputs, outputs, kernel, stride=stride, groups=groups),
        NormalisedActivation(outputs),
    )
