"""A small DeepLabv3 (arXiv 1706.05587): MobileNetV3 backbone, atrous pyramid, output stride 16."""

from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import rectified, resize
from sinet.networks.mobilenet import CHANNELS, mobilenet_features
from sinet.networks.options import Option

_PYRAMID_CHANNELS: Final = 160
# In pixels of the backbone's output, 14 to 20 a side: wider kernels would see padding only.
_RATES: Final = (2, 4, 6)


class DeepLab(SegmentationNetwork):
    """DeepLabv3 of 1.5 million parameters, from random weights; logits from 1/16 of the size."""

    name: ClassVar[str] = "deeplab"
    source: ClassVar[str] = "DeepLabv3 with MobileNetV3 (small), arXiv 1706.05587 and 1905.02244"
    licence: ClassVar[str] = "torchvision BSD-3"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.backbone = mobilenet_features()
        self.pyramid = AtrousPyramid(CHANNELS, _PYRAMID_CHANNELS, _RATES)
        self.classifier = nn.Conv2d(_PYRAMID_CHANNELS, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        logits = self.classifier(self.pyramid(self.backbone(images)))  # at 1/16
        return resize(logits, like=images)


class AtrousPyramid(nn.Module):
    """Look at features with kernels spread to several widths and at their mean, and mix."""

    def __init__(self, inputs: int, outputs: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.point = rectified(inputs, outputs, 1)
        self.spread = nn.ModuleList(_separable(inputs, outputs, rate) for rate in rates)
        # No normalisation: a batch of one has one value a channel here.
        self.overall = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, outputs, 1), nn.ReLU()
        )
        self.mix = rectified(outputs * (2 + len(rates)), outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        views = [self.point(features), *(view(features) for view in self.spread)]
        overall = self.overall(features).expand_as(views[0])
        mixed: Tensor = self.mix(torch.cat((*views, overall), dim=1))
        return mixed


def _separable(inputs: int, outputs: int, rate: int) -> nn.Module:
    """Depthwise 3×3 spread to `rate`, then 1×1: a ninth of a dense 3×3's work."""
    return nn.Sequential(
        rectified(inputs, inputs, 3, rate=rate, groups=inputs), rectified(inputs, outputs, 1)
    )
