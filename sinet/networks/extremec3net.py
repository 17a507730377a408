"""ExtremeC3Net: portrait segmentation with 37,762 parameters (arXiv 1908.03093).

    image ─▶ stem 1/2 ─▶ 1/4: two advanced C3 modules ─▶ six more ─▶ 24 channels ─▶ ×2 ─┐
        └──▶ fine branch: 3×3 of stride 2, one advanced C3 module at 1/2 ──────────────▶ + ─▶ ×2

The coarse branch knows where the person is, the fine one where it ends. 0.128 G multiply-adds at
224 × 224. All upsampling maps corner pixels on corner pixels.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import (
    ConvolutionUnit,
    NormalisedActivation,
    convolution,
    depthwise,
    pad_to_multiple,
    upsample,
)
from sinet.networks.options import Option

SIDE_MULTIPLE: Final = 4
"""The coarse branch works at a quarter of the size."""

_COARSE: Final = 2 * 56
_FINE: Final = 24

Rates = tuple[int, int, int]


class ExtremeC3Net(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: `coarse_head`, true for the paper's first stage, in which the coarse branch is
            trained alone with a classifier at 1/4 (112 parameters a class more).
    """

    name: ClassVar[str] = "extremec3net"
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {"coarse_head": (False, True)}
    source: ClassVar[str] = "ExtremeC3Net, 2019, arXiv 1908.03093"
    licence: ClassVar[str] = "authors' code MIT"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.encoder = CoarseBranch()
        self.coarse_classifier: nn.Module | None = None
        if self.options["coarse_head"]:
            self.encoder_head = True
            self.strides = (1, 4)
            self.coarse_classifier = convolution(_COARSE, classes, 1)
        self.narrow = nn.Sequential(convolution(_COARSE, _FINE, 1), nn.BatchNorm2d(_FINE))
        self.fine = nn.Sequential(
            convolution(3, _FINE, 3, stride=2), AdvancedC3Module(_FINE, _FINE, (2, 4, 8))
        )
        self.join = NormalisedActivation(_FINE)
        self.classifier = convolution(_FINE, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        padded = pad_to_multiple(images, SIDE_MULTIPLE)
        height, width = images.shape[-2:]
        return self._decode(padded, self.encoder(padded))[..., :height, :width]

    def training_logits(self, images: Tensor, *, encoder_only: bool = False) -> tuple[Tensor, ...]:
        """Return the logits and, with the option `coarse_head`, those of the coarse branch.

        Args:
            images: float (N, 3, H, W), sides multiples of 4.
            encoder_only: leave the fine branch out (the first stage of training).
        """
        if self.coarse_classifier is None:
            return super().training_logits(images, encoder_only=encoder_only)
        coarse = self.encoder(images)
        head: Tensor = self.coarse_classifier(coarse)  # (N, classes, H / 4, W / 4)
        return (head,) if encoder_only else (self._decode(images, coarse), head)

    def _decode(self, images: Tensor, coarse: Tensor) -> Tensor:
        joined = self.join(upsample(self.narrow(coarse), 2) + self.fine(images))
        logits: Tensor = self.classifier(upsample(joined, 2))
        return logits


class CoarseBranch(nn.Module):
    """Encoder: (N, 3, H, W), sides multiples of 4, to (N, 112, H / 4, W / 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvolutionUnit(3, 24, 3, stride=2)
        self.join_stem = NormalisedActivation(24 + 3)
        self.to_quarter = AdvancedC3Module(24 + 3, 48, (1, 2, 3), stride=2, residual=False)
        self.quarter = AdvancedC3Module(48, 48, (1, 3, 4))
        self.join_quarter = NormalisedActivation(2 * 48 + 3)
        self.widen = AdvancedC3Module(2 * 48 + 3, 56, (1, 3, 5), residual=False)
        self.wide = nn.Sequential(*(AdvancedC3Module(56, 56, (2, 4, 8)) for _ in range(5)))
        self.join_wide = NormalisedActivation(2 * 56)

    def forward(self, images: Tensor) -> Tensor:
        """Encode; the shrunk image is joined to the features twice."""
        half_image = functional.avg_pool2d(images, 2)
        half = self.join_stem(torch.cat((self.stem(images), half_image), dim=1))
        first = self.to_quarter(half)
        quarter_image = functional.avg_pool2d(half_image, 2)
        quarter = self.join_quarter(torch.cat((self.quarter(first), first, quarter_image), dim=1))
        wide = self.widen(quarter)
        joined: Tensor = self.join_wide(torch.cat((wide, self.wide(wide)), dim=1))
        return joined


class AdvancedC3Module(nn.Module):
    """Reduce to a third of the channels, view them through three kernel widths, join.

    Args:
        inputs: channels in.
        outputs: channels out; what thirds leave over goes to the first view.
        rates: of the three views.
        stride: 2 halves the size, with a 3×3 instead of a 1×1 reduction.
        residual: add the input before the activation; needs inputs == outputs and stride 1.
    """

    def __init__(
        self, inputs: int, outputs: int, rates: Rates, *, stride: int = 1, residual: bool = True
    ) -> None:
        super().__init__()
        third = outputs // 3
        widths = (outputs - 2 * third, third, third)
        self.residual = residual
        self.reduce = convolution(inputs, third, 3 if stride > 1 else 1, stride=stride)
        self.views = nn.ModuleList(
            _concentrated(third, width, rate) for width, rate in zip(widths, rates, strict=True)
        )
        self.post = NormalisedActivation(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        reduced = self.reduce(features)
        joined = torch.cat([view(reduced) for view in self.views], dim=1)
        if self.residual:
            joined = joined + features
        activated: Tensor = self.post(joined)
        return activated


def _concentrated(inputs: int, outputs: int, rate: int) -> nn.Sequential:
    """C3 block: gather what lies between the taps of a spread kernel, then spread, then mix.

    Without gathering, a kernel of rate 8 would see one pixel in 64. The gathering square is as
    wide as the gaps reach, 2·rate - 1, and is done along one axis after the other.
    """
    layers: list[nn.Module] = []
    if rate > 1:
        width = 2 * rate - 1
        layers = [
            nn.Conv2d(inputs, inputs, (width, 1), padding=(rate - 1, 0), groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.PReLU(inputs),
            nn.Conv2d(inputs, inputs, (1, width), padding=(0, rate - 1), groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
        ]
    return nn.Sequential(*layers, depthwise(inputs, rate=rate), convolution(inputs, outputs, 1))
