"""SINet: portrait segmentation with 86,910 parameters (arXiv 1911.09099, portrait variant).

    image ─▶ stem 1/2 ─▶ 1/4 (narrow, 2 S2 modules) ─▶ 1/8 (8 S2 modules) ─▶ encoder head
                              │                                               │ ×2
                              └── skip, let through where the head is unsure ─▶ + ─▶ ×2 ─▶ ×2

The decoder blocks information: what the coarse prediction is sure of, the finer features may not
change. 63.87 M multiply-adds at 224 × 224 with two classes.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import torch
from torch import Tensor, nn

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import (
    ConvolutionUnit,
    GatedDownsampling,
    NormalisedActivation,
    SpatialSqueezeModule,
    batch_norm,
    pad_to_multiple,
    upsample,
)
from sinet.networks.options import Option

SIDE_MULTIPLE: Final = 32
"""The encoder halves three times, and its S2 blocks look at a quarter of that."""

# (kernel, pool) of the two views of every S2 module; the first of each list widens the channels.
_QUARTER_VIEWS: Final = (((3, 1), (5, 1)), ((3, 1), (3, 1)))
_EIGHTH_VIEWS: Final = (
    ((3, 1), (5, 1)),
    ((3, 1), (3, 1)),
    ((5, 1), (3, 2)),
    ((5, 2), (3, 4)),
    ((3, 1), (3, 1)),
    ((5, 1), (5, 1)),
    ((3, 2), (3, 4)),
    ((3, 1), (5, 2)),
)


class Encoding(NamedTuple):
    """What the decoder needs of the encoder."""

    logits: Tensor  # (N, classes, H / 8, W / 8)
    quarter: Tensor  # (N, 48, H / 4, W / 4)


class Encoder(nn.Module):
    """SINet's encoder with its own classifier at 1/8 of the size."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = ConvolutionUnit(3, 12, kernel=3, stride=2)
        self.to_quarter = GatedDownsampling(12, 16, gate_hidden=None)
        self.quarter = _modules(16, 48, _QUARTER_VIEWS)
        self.join_quarter = NormalisedActivation(16 + 48)
        self.to_eighth = GatedDownsampling(64, 48, gate_hidden=32)
        self.eighth = _modules(48, 96, _EIGHTH_VIEWS)
        self.join_eighth = NormalisedActivation(48 + 96)
        self.classifier = nn.Conv2d(48 + 96, classes, 1, bias=False)

    def forward(self, images: Tensor) -> Encoding:
        """Encode (N, 3, H, W), sides multiples of 32."""
        narrow = self.to_quarter(self.stem(images))  # (N, 16, H / 4, W / 4)
        quarter = self.quarter(narrow)  # (N, 48, H / 4, W / 4)
        joined = self.join_quarter(torch.cat((narrow, quarter), dim=1))
        reduced = self.to_eighth(joined)  # (N, 48, H / 8, W / 8)
        eighth = self.eighth(reduced)  # (N, 96, H / 8, W / 8)
        features = self.join_eighth(torch.cat((reduced, eighth), dim=1))
        return Encoding(self.classifier(features), quarter)


class SINet(SegmentationNetwork):
    """The whole network: logits of every class at the size of the image.

    With one class the softmax that gates the skip is constantly 1 and closes it for good; two
    classes are what the published figures were reached with.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: none.
    """

    name: ClassVar[str] = "sinet"
    strides: tuple[int, ...] = (1, 8)
    encoder_head: bool = True
    source: ClassVar[str] = "SINet, WACV 2020, arXiv 1911.09099"
    licence: ClassVar[str] = "authors' code MIT"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.encoder = Encoder(classes)
        self.coarse_norm = batch_norm(classes)
        self.skip = ConvolutionUnit(48, classes, kernel=1)
        self.fine_norm = batch_norm(classes)
        self.classifier = nn.Conv2d(classes, classes, 3, padding=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Classify every pixel.

        Args:
            images: float (N, 3, H, W) of any size, normalised as the weights want it.

        Returns:
            Logits, float (N, classes, H, W).
        """
        self.check_images(images)
        height, width = images.shape[-2:]
        return self._decode(self.encoder(pad_to_multiple(images, SIDE_MULTIPLE)))[
            ..., :height, :width
        ]

    def training_logits(self, images: Tensor, *, encoder_only: bool = False) -> tuple[Tensor, ...]:
        """Return what the losses are taken of: the logits, then the encoder's at 1/8.

        Args:
            images: float (N, 3, H, W), sides multiples of 32.
            encoder_only: leave the decoder out (the first stage of training).

        Returns:
            (N, classes, H, W), unless `encoder_only`, and (N, classes, H / 8, W / 8).
        """
        self.check_images(images)
        encoding = self.encoder(images)
        if encoder_only:
            return (encoding.logits,)
        return self._decode(encoding), encoding.logits

    def _decode(self, encoding: Encoding) -> Tensor:
        coarse = self.coarse_norm(upsample(encoding.logits, 2))  # (N, classes, H / 4, W / 4)
        confidence = coarse.softmax(dim=1).amax(dim=1, keepdim=True)  # (N, 1, H / 4, W / 4)
        blocked = self.skip(encoding.quarter) * (1 - confidence)
        fine = self.fine_norm(upsample(blocked + coarse, 2))  # (N, classes, H / 2, W / 2)
        logits: Tensor = self.classifier(upsample(fine, 2))
        return logits


def _modules(
    inputs: int, outputs: int, views: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
) -> nn.Sequential:
    """Return S2 modules in a row: the first widens, the others are residual."""
    widen = SpatialSqueezeModule(inputs, outputs, views[0], residual=False)
    rest = [SpatialSqueezeModule(outputs, outputs, pair, residual=True) for pair in views[1:]]
    return nn.Sequential(widen, *rest)
