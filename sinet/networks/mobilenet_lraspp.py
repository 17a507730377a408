"""MobileNetV3 (small) with the head LR-ASPP (arXiv 1905.02244, section 6.4).

    backbone, dilated to 1/16 ─▶ 1×1 ─▶ gated by the image's mean ─▶ ×2 ─▶ 1×1 ─▶ + ─▶ ×8
        └──────── 24 channels at 1/8 ─────────────────────────────▶ 1×1 ──────────┘

The last blocks have half of their filters, as the article recommends ("RF2"). Its mean over the
image is that of the whole one, as in torchvision; the article's is over squares of 49 × 49, which
images of 224 × 224 do not have at 1/16.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from torch import Tensor, nn

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import convolution, rectified, resize
from sinet.networks.mobilenet import LOW_CHANNELS, LOW_END, REDUCED_CHANNELS, mobilenet_features
from sinet.networks.options import Option

_WIDTH: Final = 128


class MobileNetV3(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: none.
    """

    name: ClassVar[str] = "mobilenetv3"
    source: ClassVar[str] = "MobileNetV3 (small) with LR-ASPP, ICCV 2019, arXiv 1905.02244"
    licence: ClassVar[str] = "own description"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.backbone = mobilenet_features(reduced=True)
        self.reduce = rectified(REDUCED_CHANNELS, _WIDTH, 1)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), convolution(REDUCED_CHANNELS, _WIDTH, 1), nn.Sigmoid()
        )
        self.low_classifier = nn.Conv2d(LOW_CHANNELS, classes, 1)
        self.classifier = nn.Conv2d(_WIDTH, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        low = self.backbone[:LOW_END](images)
        deep = self.backbone[LOW_END:](low)
        gated = resize(self.reduce(deep) * self.gate(deep), like=low)
        return resize(self.low_classifier(low) + self.classifier(gated), like=images)
