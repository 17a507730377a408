"""BiSeNet (arXiv 1808.00897): a path that keeps details, one that sees far, weighed and joined.

    image ─┬─▶ spatial path: three halvings ─▶ 1/8 ────────────────┐
           └─▶ ResNet-18 ─▶ 1/16 and 1/32, gated, and their mean ──┴─▶ fusion ─▶ 3×3 ─▶ 1×1 ─▶ ×8

The article says 49.0 M parameters with ResNet-18 and 5.8 M with Xception39; implementations with
ResNet-18 have 13 to 14 M, as has ours. The one that the SINet article measured is far smaller, and
described nowhere that was found.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from sinet.networks.backbones import fill, imagenet_weights, torchvision_model
from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import convolution, pad_to_multiple, rectified, resize
from sinet.networks.options import Option

SIDE_MULTIPLE: Final = 32
_CONTEXT: Final = 128
_FUSED: Final = 256


class BiSeNet(SegmentationNetwork):
    """The whole network, for images of any size.

    Training also classifies the context at 1/8 and 1/16; `LossWeights.coarse` weighs that.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: none.
    """

    name: ClassVar[str] = "bisenet"
    strides: tuple[int, ...] = (1, 8, 16)
    smallest_training_batch: ClassVar[int] = 2
    source: ClassVar[str] = "BiSeNet with ResNet-18, ECCV 2018, arXiv 1808.00897"
    licence: ClassVar[str] = "own description; pretrained ResNet-18: torchvision BSD-3"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.spatial = nn.Sequential(
            rectified(3, 64, 7, stride=2),
            rectified(64, 64, 3, stride=2),
            rectified(64, 64, 3, stride=2),
            rectified(64, _CONTEXT, 1),
        )
        whole = torchvision_model("resnet18")
        self.stages = nn.ModuleList(
            (
                nn.Sequential(
                    whole.conv1, whole.bn1, whole.relu, whole.maxpool, whole.layer1, whole.layer2
                ),
                whole.layer3,
                whole.layer4,
            )
        )
        self.overall = nn.Sequential(nn.AdaptiveAvgPool2d(1), rectified(512, _CONTEXT, 1))
        self.gate_deep, self.gate_middle = GatedContext(512), GatedContext(256)
        self.smooth_deep, self.smooth_middle = (
            rectified(_CONTEXT, _CONTEXT, 3),
            rectified(_CONTEXT, _CONTEXT, 3),
        )
        self.fuse = GatedFusion(2 * _CONTEXT, _FUSED)
        self.classifier = _head(_FUSED, _FUSED, classes)
        self.middle_classifier = _head(_CONTEXT, 64, classes)
        self.deep_classifier = _head(_CONTEXT, 64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W).

        Raises:
            NetworkError: a batch of one in train mode: a mean over the image is one value a channel
                and image, which is normalised.
        """
        self.check_images(images)
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, SIDE_MULTIPLE)
        middle, _ = self._context(padded)
        return self._classify(padded, middle)[..., :height, :width]

    def training_logits(self, images: Tensor, *, encoder_only: bool = False) -> tuple[Tensor, ...]:
        """Return the logits and the context's at 1/8 and 1/16.

        Args:
            images: float (N, 3, H, W), sides multiples of 32.
            encoder_only: an error, as there is no encoder head.
        """
        self.check_images(images)
        if encoder_only:
            return super().training_logits(images, encoder_only=True)
        middle, deep = self._context(images)
        main = self._classify(images, middle)
        return main, self.middle_classifier(middle), self.deep_classifier(deep)

    def load_pretrained(self) -> None:
        """Give the context path torchvision's ResNet-18."""
        whole = torchvision_model("resnet18")
        whole.load_state_dict(imagenet_weights("resnet18"))
        stem = (whole.conv1, whole.bn1, whole.relu, whole.maxpool)
        first = nn.Sequential(*stem, whole.layer1, whole.layer2)
        for own, trained in zip(self.stages, (first, whole.layer3, whole.layer4), strict=True):
            fill(own, trained.state_dict())

    def _context(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, 128, H / 8, W / 8) and (N, 128, H / 16, W / 16)."""
        eighth = self.stages[0](images)
        sixteenth = self.stages[1](eighth)
        last = self.stages[2](sixteenth)
        deep = self.gate_deep(last) + self.overall(last)
        deep = self.smooth_deep(resize(deep, like=sixteenth))
        middle = self.gate_middle(sixteenth) + deep
        return self.smooth_middle(resize(middle, like=eighth)), deep

    def _classify(self, images: Tensor, context: Tensor) -> Tensor:
        fused = self.fuse(torch.cat((self.spatial(images), context), dim=1))
        return resize(self.classifier(fused), like=images)


class GatedContext(nn.Module):
    """Attention refinement: features of one width, gated by their means over the image."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.reduce = rectified(inputs, _CONTEXT, 3)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            convolution(_CONTEXT, _CONTEXT, 1),
            nn.BatchNorm2d(_CONTEXT),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, 128, H, W)."""
        reduced = self.reduce(features)
        gated: Tensor = reduced * self.gate(reduced)
        return gated


class GatedFusion(nn.Module):
    """Mix joined features, and add them once more, gated by their means over the image."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = rectified(inputs, outputs, 1)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            convolution(outputs, outputs // 4, 1),
            nn.ReLU(inplace=True),
            convolution(outputs // 4, outputs, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        mixed = self.mix(features)
        fused: Tensor = mixed + mixed * self.gate(mixed)
        return fused


def _head(inputs: int, inner: int, classes: int) -> nn.Sequential:
    return nn.Sequential(rectified(inputs, inner, 3), convolution(inner, classes, 1))
