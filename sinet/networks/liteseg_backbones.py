"""LiteSeg's backbones: MobileNetV2 of torchvision, ShuffleNet (arXiv 1707.01083) and Darknet-19.

Each returns features at 1/4 or 1/8, for the long connection, and its last ones; none has its
classifier of ImageNet.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.networks.backbones import fill, imagenet_weights, limit_stride, torchvision_model
from sinet.networks.layers import convolution, depthwise, shuffle_channels


class ShrinkingBackbone(nn.Module):
    """A backbone that can stop shrinking and spread its kernels instead.

    Attributes:
        channels: of its last features.
        low_channels: of those for the long connection.
        reduced_low_channels: to which LiteSeg reduces these; None: left as they are.
        published_stride: of the last features, in the paper.
    """

    channels: ClassVar[int]
    low_channels: ClassVar[int]
    reduced_low_channels: ClassVar[int | None]
    published_stride: ClassVar[int]

    def __init__(self, output_stride: int) -> None:
        super().__init__()
        self.output_stride = output_stride

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, 3, H, W) to the low features and the last, at 1 / `output_stride`."""
        raise NotImplementedError


class MobileNet(ShrinkingBackbone):
    """MobileNetV2 up to its 1×1 convolution to 1280 channels; low features at 1/4."""

    channels: ClassVar[int] = 1280
    low_channels: ClassVar[int] = 24
    reduced_low_channels: ClassVar[int | None] = None
    published_stride: ClassVar[int] = 32

    LOW_END = 4

    def __init__(self, output_stride: int) -> None:
        super().__init__(output_stride)
        self.layers: nn.Sequential = torchvision_model("mobilenet_v2").features
        limit_stride(self.layers, output_stride)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the base class."""
        low = self.layers[: self.LOW_END](images)
        return low, self.layers[self.LOW_END :](low)

    def load_pretrained(self) -> None:
        """Take torchvision's weights."""
        fill(self.layers, imagenet_weights("mobilenet_v2"), "features.")


class ShuffleNet(ShrinkingBackbone):
    """ShuffleNet of 8 groups; low features at 1/8."""

    channels: ClassVar[int] = 1536
    low_channels: ClassVar[int] = 384
    reduced_low_channels: ClassVar[int | None] = 48
    published_stride: ClassVar[int] = 32

    STAGES = ((384, 4), (768, 8), (1536, 4))
    """Channels and units."""

    def __init__(self, output_stride: int) -> None:
        super().__init__(output_stride)
        self.stem = nn.Sequential(
            convolution(3, 24, 3, stride=2),
            nn.BatchNorm2d(24),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages, inputs, reached, rate = [], 24, 4, 1
        for channels, units in self.STAGES:
            stride = 2 if reached < output_stride else 1
            widen = ShuffleUnit(inputs, channels, stride=stride, rate=rate, widens=True)
            reached, rate = reached * stride, rate * 2 // stride
            same = (ShuffleUnit(channels, channels, rate=rate) for _ in range(units - 1))
            stages.append(nn.Sequential(widen, *same))
            inputs = channels
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the base class."""
        low = self.stages[0](self.stem(images))
        return low, self.stages[2](self.stages[1](low))


class ShuffleUnit(nn.Module):
    """Grouped 1×1 to a quarter, shuffle, depthwise 3×3, grouped 1×1; residual.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: 2 halves the size.
        rate: dilation of the 3×3.
        widens: the input is joined to the result instead of added. The first unit of all sees 24
            channels, too few for groups.
    """

    GROUPS = 8

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, rate: int = 1, widens: bool = False
    ) -> None:
        super().__init__()
        self.widens, self.stride = widens, stride
        made, inner = outputs - inputs if widens else outputs, outputs // 4
        self.reduce = nn.Sequential(
            convolution(inputs, inner, 1, groups=1 if inputs == 24 else self.GROUPS),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
        )
        self.spatial = nn.Sequential(
            depthwise(inner, stride=stride, rate=rate), nn.BatchNorm2d(inner)
        )
        self.expand = nn.Sequential(
            convolution(inner, made, 1, groups=self.GROUPS), nn.BatchNorm2d(made)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        shuffled = shuffle_channels(self.reduce(features), self.GROUPS)
        made = self.expand(self.spatial(shuffled))
        if not self.widens:
            return torch.relu(features + made)
        if self.stride > 1:
            features = functional.avg_pool2d(features, 3, stride=self.stride, padding=1)
        return torch.relu(torch.cat((features, made), dim=1))


class Darknet(ShrinkingBackbone):
    """Darknet-19 (arXiv 1612.08242); low features at 1/4."""

    channels: ClassVar[int] = 1024
    low_channels: ClassVar[int] = 128
    reduced_low_channels: ClassVar[int | None] = 32
    published_stride: ClassVar[int] = 16

    BLOCKS = ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512))
    LAST_BLOCK = (1024, 512, 1024, 512, 1024)
    """Channels of the convolutions between two poolings, 3×3 and 1×1 in turn."""

    def __init__(self, output_stride: int) -> None:
        super().__init__(output_stride)
        blocks, inputs, reached, rate = [], 3, 1, 1
        for number, widths in enumerate((*self.BLOCKS, self.LAST_BLOCK)):
            layers: list[nn.Module] = []
            if number and reached < output_stride:
                # An odd side is rounded up, as by the other backbones' convolutions.
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
                reached *= 2
            elif number:
                rate *= 2
            for place, width in enumerate(widths):
                layers += _leaky(inputs, width, 1 if place % 2 else 3, rate)
                inputs = width
            blocks.append(nn.Sequential(*layers))
        self.low, self.deep = nn.Sequential(*blocks[:3]), nn.Sequential(*blocks[3:])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the base class."""
        low = self.low(images)
        return low, self.deep(low)


def _leaky(inputs: int, outputs: int, kernel: int, rate: int) -> list[nn.Module]:
    return [
        convolution(inputs, outputs, kernel, rate=rate),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    ]
