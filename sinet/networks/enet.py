"""ENet (arXiv 1606.02147): bottlenecks that shrink early, and a decoder that remembers where.

    image ─▶ 1/2 ─▶ 1/4: 5 bottlenecks ─▶ 1/8: 17 bottlenecks ─▶ 1/4 ─▶ 1/2 ─▶ transposed 2×2
                     └── where each maximum was ──────────────────┴────┘

The article counts 0.37 M parameters with Cityscapes' classes, others 0.36 M (TimoSaemann/ENet) or
0.35 M (CyrusCKF/PixSeg); ours has 360,287.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import NormalisedActivation, convolution, pad_to_multiple
from sinet.networks.options import Option

SIDE_MULTIPLE: Final = 8
_EARLY_DROPOUT: Final = 0.01
_DROPOUT: Final = 0.1
# Of the bottlenecks at 1/8, twice: dilation, or 0 for 5×1 and 1×5 kernels.
_RATES: Final = (1, 2, 0, 4, 1, 8, 0, 16)


class ENet(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: none.
    """

    name: ClassVar[str] = "enet"
    source: ClassVar[str] = "ENet, 2016, arXiv 1606.02147"
    licence: ClassVar[str] = "own description"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.stem = convolution(3, 13, 3, stride=2)
        self.join_stem = NormalisedActivation(13 + 3)
        self.to_quarter = Shrinking(16, 64, _EARLY_DROPOUT)
        self.quarter = nn.Sequential(*(Bottleneck(64, 1, _EARLY_DROPOUT) for _ in range(4)))
        self.to_eighth = Shrinking(64, 128, _DROPOUT)
        self.eighth = nn.Sequential(*(Bottleneck(128, rate, _DROPOUT) for rate in 2 * _RATES))
        self.from_eighth = Enlarging(128, 64)
        self.late_quarter = nn.Sequential(*(Bottleneck(64, 1, _DROPOUT) for _ in range(2)))
        self.from_quarter = Enlarging(64, 16)
        self.late_half = Bottleneck(16, 1, _DROPOUT)
        self.classifier = nn.ConvTranspose2d(16, classes, 2, stride=2, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, SIDE_MULTIPLE)
        half = self.join_stem(
            torch.cat((self.stem(padded), functional.max_pool2d(padded, 2)), dim=1)
        )
        quarter, in_half = self.to_quarter(half)
        eighth, in_quarter = self.to_eighth(self.quarter(quarter))
        late = self.late_quarter(self.from_eighth(self.eighth(eighth), in_quarter))
        logits: Tensor = self.classifier(self.late_half(self.from_quarter(late, in_half)))
        return logits[..., :height, :width]


class Bottleneck(nn.Module):
    """Reduce to a quarter of the channels, convolve, widen, add.

    Args:
        channels: in and out.
        rate: dilation of the 3×3 kernel; 0: a 5×1 and a 1×5 instead.
        dropout: part of the channels that training leaves out.
    """

    def __init__(self, channels: int, rate: int, dropout: float) -> None:
        super().__init__()
        inner = channels // 4
        middle: list[nn.Module] = [convolution(inner, inner, 3, rate=rate)]
        if rate == 0:
            middle = [
                nn.Conv2d(inner, inner, (5, 1), padding=(2, 0), bias=False),
                nn.Conv2d(inner, inner, (1, 5), padding=(0, 2), bias=False),
            ]
        self.path = nn.Sequential(
            convolution(channels, inner, 1),
            NormalisedActivation(inner),
            *middle,
            NormalisedActivation(inner),
            convolution(inner, channels, 1),
            nn.BatchNorm2d(channels),
            nn.Dropout2d(dropout),
        )
        self.activation = nn.PReLU(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        activated: Tensor = self.activation(features + self.path(features))
        return activated


class Shrinking(nn.Module):
    """Bottleneck that halves the size, beside a maximum pooling with empty channels added."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        inner = inputs // 4
        self.added = outputs - inputs
        self.path = nn.Sequential(
            nn.Conv2d(inputs, inner, 2, stride=2, bias=False),
            NormalisedActivation(inner),
            convolution(inner, inner, 3),
            NormalisedActivation(inner),
            convolution(inner, outputs, 1),
            nn.BatchNorm2d(outputs),
            nn.Dropout2d(dropout),
        )
        self.activation = nn.PReLU(outputs)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, inputs, H, W), even sides, to (N, outputs, H / 2, W / 2).

        Also returned is where the maxima were, bool (N, inputs, H, W): more than one of four where
        they are equal.
        """
        pooled = functional.max_pool2d(features, 2)
        where = features == _repeated(pooled)
        widened = functional.pad(pooled, (0, 0, 0, 0, 0, self.added))
        return self.activation(widened + self.path(features)), where


class Enlarging(nn.Module):
    """Bottleneck that doubles the size; beside it values go to where the maxima were."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = inputs // 4
        self.narrow = nn.Sequential(convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs))
        self.path = nn.Sequential(
            convolution(inputs, inner, 1),
            NormalisedActivation(inner),
            nn.ConvTranspose2d(inner, inner, 3, stride=2, padding=1, output_padding=1, bias=False),
            NormalisedActivation(inner),
            convolution(inner, outputs, 1),
            nn.BatchNorm2d(outputs),
            nn.Dropout2d(_DROPOUT),
        )
        self.activation = nn.PReLU(outputs)

    def forward(self, features: Tensor, where: Tensor) -> Tensor:
        """Map (N, inputs, H, W) and bool (N, outputs, 2 · H, 2 · W) to that shape."""
        placed = _repeated(self.narrow(features)) * where
        activated: Tensor = self.activation(placed + self.path(features))
        return activated


def _repeated(features: Tensor) -> Tensor:
    """Return (N, C, H, W) with every value four times: (N, C, 2 · H, 2 · W)."""
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")
