"""ContextNet and Fast-SCNN: details from a shallow branch, context from a deep one, added.

                 ┌─▶ fine branch, 1/8 ───────────────▶ 1×1 ─┐
    image ───────┤                                         + ─▶ head ─▶ ×8
                 └─▶ context, 1/16 or 1/32 ─▶ ×k ─▶ 3×3 ───┘

ContextNet (arXiv 1805.04554) shows its deep branch the shrunk image; Fast-SCNN (arXiv 1902.04502)
lets both share their first layers. With Cityscapes' 19 classes the articles say 0.85 M parameters
of ContextNet and 1.11 M of Fast-SCNN; others count 1.01 and 1.02 M (zh320's
realtime-semantic-segmentation-pytorch). Ours have 840,211 and 1,137,795: ContextNet's deep branch
ends without another dense convolution and its head is a 1×1 one, which comes nearest.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import (
    convolution,
    inverted_residuals,
    means_over,
    rectified,
    resize,
    separable_rectified,
)
from sinet.networks.options import Option

_WIDTH: Final = 128
_BINS: Final = (1, 2, 3, 6)
_DROPOUT: Final = 0.1


class ContextNet(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: `shrink`, by which the image of the context branch is smaller: 2, which the SINet
            article measures (ContextNet12), or 4.
    """

    name: ClassVar[str] = "contextnet"
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {"shrink": (2, 4)}
    source: ClassVar[str] = "ContextNet, BMVC 2018, arXiv 1805.04554"
    licence: ClassVar[str] = "own description"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.fine = nn.Sequential(
            rectified(3, 32, 3, stride=2),
            separable_rectified(32, 64, stride=2),
            separable_rectified(64, _WIDTH, stride=2),
            separable_rectified(_WIDTH, _WIDTH),
        )
        rows = ((1, 32, 1, 1), (6, 32, 1, 1), (6, 48, 3, 2), (6, 64, 3, 2), (6, 96, 2, 1))
        blocks, width = inverted_residuals(32, (*rows, (6, _WIDTH, 2, 1)))
        self.context = nn.Sequential(rectified(3, 32, 3, stride=2), *blocks)
        self.fuse = Fusion(_WIDTH, width)
        self.classify = nn.Sequential(nn.Dropout(_DROPOUT), nn.Conv2d(_WIDTH, classes, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        height, width = images.shape[-2:]
        shrink = int(self.options["shrink"])
        small = functional.interpolate(
            images,
            (max(1, height // shrink), max(1, width // shrink)),
            mode="bilinear",
            align_corners=False,
        )
        fused = self.fuse(self.fine(images), self.context(small))
        return resize(self.classify(fused), like=images)


class FastSCNN(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: none.
    """

    name: ClassVar[str] = "fastscnn"
    smallest_training_batch: ClassVar[int] = 2
    source: ClassVar[str] = "Fast-SCNN, BMVC 2019, arXiv 1902.04502"
    licence: ClassVar[str] = "own description"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.shared = nn.Sequential(
            rectified(3, 32, 3, stride=2),
            separable_rectified(32, 48, stride=2),
            separable_rectified(48, 64, stride=2),
        )
        rows = ((6, 64, 3, 2), (6, 96, 3, 2), (6, _WIDTH, 3, 1))
        blocks, width = inverted_residuals(64, rows)
        self.context = nn.Sequential(*blocks, PyramidPooling(width, _WIDTH))
        self.fuse = Fusion(64, _WIDTH)
        self.classify = nn.Sequential(
            separable_rectified(_WIDTH, _WIDTH),
            separable_rectified(_WIDTH, _WIDTH),
            nn.Dropout(_DROPOUT),
            nn.Conv2d(_WIDTH, classes, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W).

        Raises:
            NetworkError: a batch of one in train mode: a mean over the image is one value a channel
                and image, which is normalised.
        """
        self.check_images(images)
        fine = self.shared(images)
        return resize(self.classify(self.fuse(fine, self.context(fine))), like=images)


class Fusion(nn.Module):
    """Enlarge the context to the fine features, smooth it, bring both to one width, add."""

    def __init__(self, fine: int, context: int) -> None:
        super().__init__()
        self.smooth = rectified(context, context, 3, rate=4, groups=context)
        self.context = nn.Sequential(convolution(context, _WIDTH, 1), nn.BatchNorm2d(_WIDTH))
        self.fine = nn.Sequential(convolution(fine, _WIDTH, 1), nn.BatchNorm2d(_WIDTH))

    def forward(self, fine: Tensor, context: Tensor) -> Tensor:
        """Map (N, fine, H, W) and (N, context, h, w) to (N, 128, H, W)."""
        enlarged = self.context(self.smooth(resize(context, like=fine)))
        return torch.relu(self.fine(fine) + enlarged)


class PyramidPooling(nn.Module):
    """Look at features also as means over 1, 4, 9 and 36 parts of the image, and mix."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        part = inputs // len(_BINS)
        self.parts = nn.ModuleList(rectified(inputs, part, 1) for _ in _BINS)
        self.mix = rectified(2 * inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        views = [
            resize(part(means_over(features, (bins, bins))), like=features)
            for part, bins in zip(self.parts, _BINS, strict=True)
        ]
        mixed: Tensor = self.mix(torch.cat((features, *views), dim=1))
        return mixed
