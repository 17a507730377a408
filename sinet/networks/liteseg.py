"""LiteSeg (arXiv 1912.06683, DICTA 2019): a deeper atrous pyramid and two residual connections.

    backbone ─▶ five views (DASPP) and the features themselves ─▶ 96 ─▶ ×k ─▶ + low features ─▶ C
        └────────────────────────── long connection ─────────────────────────────┘

"Short" is the concatenation of the views with what they look at, "long" that with features at 1/4
or 1/8. All upsampling maps corner pixels on corner pixels. The published sizes with 19 classes
(4.38 M with MobileNetV2, 3.51 M with ShuffleNet) include the backbone's classifier of ImageNet,
1,281,000 and 1,537,000 parameters, which segmentation does not use and which is not here; that of
ShuffleNet also 19,584 biases of convolutions that a normalisation follows and cancels, but no
normalisation of its stem (48). With Darknet-19 the count is the published one.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import convolution, depthwise, resize
from sinet.networks.liteseg_backbones import Darknet, MobileNet, ShrinkingBackbone, ShuffleNet
from sinet.networks.options import Option

WIDTH: Final = 96
_RATES: Final = (3, 6, 9)
_BACKBONES: Final[dict[str, type[ShrinkingBackbone]]] = {
    "mobilenet_v2": MobileNet,
    "shufflenet": ShuffleNet,
    "darknet19": Darknet,
}


class LiteSeg(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: `backbone`; `output_stride` of the backbone: `published` (1/32, with Darknet-19
            1/16), or 8, 16 or 32. Kernels spread where the backbone would shrink further.
            `pyramid`: `daspp`, or `aspp` without the dense kernels after the spread ones. `short`,
            `long`: whether there is that connection; without the long one the head works at the
            size of the backbone's output.
    """

    name: ClassVar[str] = "liteseg"
    smallest_training_batch: ClassVar[int] = 2
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "backbone": tuple(_BACKBONES),
        "output_stride": ("published", 8, 16, 32),
        "pyramid": ("daspp", "aspp"),
        "short": (True, False),
        "long": (True, False),
    }
    source: ClassVar[str] = "LiteSeg, DICTA 2019, arXiv 1912.06683"
    licence: ClassVar[str] = (
        "own description (the authors' code is CC BY-NC); pretrained MobileNetV2: torchvision BSD-3"
    )

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        kind = _BACKBONES[str(self.options["backbone"])]
        stride = self.options["output_stride"]
        self.backbone = kind(kind.published_stride if stride == "published" else int(stride))
        deep, low = kind.channels, kind.low_channels if self.options["long"] else 0
        self.pyramid = DeeperPyramid(deep, is_deep=self.options["pyramid"] == "daspp")
        mixed = 5 * WIDTH + (deep if self.options["short"] else 0)
        self.short = nn.Sequential(*separable(mixed, WIDTH, 1), nn.ReLU(inplace=True))
        self.reduce: nn.Module = nn.Identity()
        if low and kind.reduced_low_channels is not None:
            reduced = separable(low, kind.reduced_low_channels, 1)
            self.reduce = nn.Sequential(*reduced, nn.ReLU(inplace=True))
            low = kind.reduced_low_channels
        self.long = nn.Sequential(
            *separable(WIDTH + low, WIDTH, 3),
            nn.ReLU(inplace=True),
            *separable(WIDTH, WIDTH, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, classes, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W).

        Raises:
            NetworkError: a batch of one in train mode: a view of the pyramid is one value a channel
                and image, which is normalised.
        """
        self.check_images(images)
        low, deep = self.backbone(images)
        views = self.pyramid(deep)
        mixed = self.short(torch.cat((views, deep), dim=1) if self.options["short"] else views)
        if self.options["long"]:
            low = self.reduce(low)
            mixed = torch.cat((resize(mixed, like=low, align_corners=True), low), dim=1)
        return resize(self.long(mixed), like=images, align_corners=True)

    def load_pretrained(self) -> None:
        """Give MobileNetV2 torchvision's weights; there are none for the other backbones."""
        if not isinstance(self.backbone, MobileNet):
            super().load_pretrained()
        else:
            self.backbone.load_pretrained()


class DeeperPyramid(nn.Module):
    """DASPP: (N, inputs, H, W) seen in five ways, (N, 480, H, W).

    Of the single pixel, with three spread kernels each followed by a dense one (the "deeper"), and
    as a mean over the image. Without `is_deep` it is an ordinary ASPP.
    """

    def __init__(self, inputs: int, *, is_deep: bool) -> None:
        super().__init__()
        self.single = nn.Sequential(*separable(inputs, WIDTH, 1))
        self.spread = nn.ModuleList(
            nn.Sequential(
                *separable(inputs, WIDTH, 3, rate=rate),
                *(separable(WIDTH, WIDTH, 3) if is_deep else ()),
                nn.ReLU(inplace=True),
            )
            for rate in _RATES
        )
        self.overall = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            convolution(inputs, WIDTH, 1),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Concatenate the five views."""
        views = [self.single(features), *(view(features) for view in self.spread)]
        overall = self.overall(features).expand_as(views[0])
        return torch.cat((*views, overall), dim=1)


def separable(inputs: int, outputs: int, kernel: int, *, rate: int = 1) -> list[nn.Module]:
    """Return a depthwise and a 1×1 convolution, normalised once, after both."""
    return [
        depthwise(inputs, kernel, rate=rate),
        convolution(inputs, outputs, 1),
        nn.BatchNorm2d(outputs),
    ]
