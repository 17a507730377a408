"""CGNet: context-guided segmentation (arXiv 1811.08201, TIP 2020), M = 3, N = 21.

    image ─▶ stem 1/2 ─▶ M blocks at 1/4 ─▶ N blocks at 1/8 ─▶ 1×1 ─▶ ×8
        └─ ½ ──┴── ¼ ─────────┘   (the shrunk image is joined to the features)

Every block looks at a pixel, at its surroundings with a spread kernel, and at the whole image,
whose summary gates the channels. 496,306 parameters with 19 classes, 491,954 with two; 0.644 G
multiply-adds at 224 × 224.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import (
    ConvolutionUnit,
    NormalisedActivation,
    convolution,
    depthwise,
    resize,
)
from sinet.networks.options import Option


class CGNet(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: what the paper's tables vary, the published network first.

            `context`, views of a block: `both`, `local` or `surrounding`, then twice the one, or
            `last`: `both` in the last block, `local` in the others.
            `mixing`: whether a 1×1 convolution follows each depthwise one.
            `gate`: whether a summary of the whole image (global context) gates the channels.
            `residual`: `global` (the input is added after the gate: GRL) or `local` (before it:
            LRL).
            `injection`: whether the shrunk image is joined to the features.
            `early_blocks`, M, and `blocks`, N: how many blocks there are at 1/4 and at 1/8.
            `activation`: `prelu` or `relu`.
    """

    name: ClassVar[str] = "cgnet"
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "context": ("both", "local", "surrounding", "last"),
        "mixing": (False, True),
        "gate": (True, False),
        "residual": ("global", "local"),
        "injection": (True, False),
        "early_blocks": (3, 6),
        "blocks": (21, 9, 12, 15, 18),
        "activation": ("prelu", "relu"),
    }
    source: ClassVar[str] = "CGNet, TIP 2020, arXiv 1811.08201"
    licence: ClassVar[str] = "authors' code MIT"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.injected = 3 if self.options["injection"] else 0
        early, late = int(self.options["early_blocks"]), int(self.options["blocks"])
        self.stem = nn.Sequential(
            ConvolutionUnit(3, 32, 3, stride=2),
            ConvolutionUnit(32, 32, 3),
            ConvolutionUnit(32, 32, 3),
        )
        half = 32 + self.injected
        self.join_half = NormalisedActivation(half)
        self.to_quarter = GuidedDownsampling(half, 64, self.options, rate=2, reduction=8)
        self.quarter = nn.Sequential(
            *(GuidedBlock(64, self.options, rate=2, reduction=8) for _ in range(early - 1))
        )
        quarter = 2 * 64 + self.injected
        self.join_quarter = NormalisedActivation(quarter)
        self.to_eighth = GuidedDownsampling(quarter, 128, self.options, rate=4, reduction=16)
        self.eighth = nn.Sequential(
            *(GuidedBlock(128, self.options, rate=4, reduction=16) for _ in range(late - 2)),
            GuidedBlock(128, self.options, rate=4, reduction=16, is_last=True),
        )
        self.join_eighth = NormalisedActivation(2 * 128)
        self.classifier = nn.Conv2d(2 * 128, classes, 1, bias=False)
        if self.options["activation"] == "relu":
            _rectify(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        half_image = _halve(images)
        half = self.join_half(self._injected(half_image, self.stem(images)))
        first = self.to_quarter(half)  # (N, 64, H / 4, W / 4)
        last = self.quarter(first)
        joined = self.join_quarter(self._injected(_halve(half_image), last, first))
        first = self.to_eighth(joined)  # (N, 128, H / 8, W / 8)
        last = self.eighth(first)
        logits = self.classifier(self.join_eighth(torch.cat((first, last), dim=1)))
        return resize(logits, like=images)

    def _injected(self, image: Tensor, *features: Tensor) -> Tensor:
        """Join features to each other and, with injection, to the shrunk image."""
        return torch.cat((*features, image) if self.injected else features, dim=1)


class ContextGuide(nn.Module):
    """Gate every channel by a summary of all channels over the whole image (global context)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Scale every channel of (N, C, H, W) by a factor of 0..1."""
        gates = self.gate(features.mean(dim=(2, 3)))  # (N, C)
        scaled: Tensor = features * gates[:, :, None, None]
        return scaled


class LocalAndSurrounding(nn.Module):
    """See every channel close up and spread, both depthwise: (N, C, H, W) to (N, 2·C, H, W).

    With one kind of context there are two views of that kind, so that as much is computed.
    """

    def __init__(self, channels: int, rate: int, context: Option, *, mixing: Option) -> None:
        super().__init__()
        spread = context in ("both", "surrounding")
        self.local = _view(channels, rate if context == "surrounding" else 1, mixing)
        self.surrounding = _view(channels, rate if spread else 1, mixing)
        self.post = NormalisedActivation(2 * channels)

    def forward(self, features: Tensor) -> Tensor:
        """Concatenate both views, normalise, activate."""
        views = torch.cat((self.local(features), self.surrounding(features)), dim=1)
        joined: Tensor = self.post(views)
        return joined


class GuidedBlock(nn.Module):
    """CG block: halve the channels, see them close up and spread, gate; residual.

    Unless `mixing`, no 1×1 convolution follows the depthwise pair: the next block's reduction mixes
    the channels.

    Args:
        channels: in and out.
        options: CGNet's, every one of them.
        rate: dilation of the surrounding's kernel.
        reduction: of the gate's hidden layer.
        is_last: of the network's blocks.
    """

    def __init__(
        self,
        channels: int,
        options: Mapping[str, Option],
        *,
        rate: int,
        reduction: int,
        is_last: bool = False,
    ) -> None:
        super().__init__()
        self.after_gate = options["residual"] == "global"
        self.reduce = ConvolutionUnit(channels, channels // 2, 1)
        context = "both" if is_last and options["context"] == "last" else options["context"]
        self.views = LocalAndSurrounding(channels // 2, rate, context, mixing=options["mixing"])
        self.guide = _guide(channels, reduction, options)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        joined = self.views(self.reduce(features))
        if self.after_gate:
            gated: Tensor = features + self.guide(joined)
            return gated
        guided: Tensor = self.guide(features + joined)
        return guided


class GuidedDownsampling(nn.Module):
    """CG block that halves the size and changes the number of channels; not residual."""

    def __init__(
        self, inputs: int, outputs: int, options: Mapping[str, Option], *, rate: int, reduction: int
    ) -> None:
        super().__init__()
        self.shrink = ConvolutionUnit(inputs, outputs, 3, stride=2)
        self.views = LocalAndSurrounding(
            outputs, rate, options["context"], mixing=options["mixing"]
        )
        self.reduce = convolution(2 * outputs, outputs, 1)
        self.guide = _guide(outputs, reduction, options)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / 2⌉, ⌈W / 2⌉)."""
        guided: Tensor = self.guide(self.reduce(self.views(self.shrink(features))))
        return guided


def _view(channels: int, rate: int, mixing: Option) -> nn.Module:
    kernel = depthwise(channels, rate=rate)
    return nn.Sequential(kernel, convolution(channels, channels, 1)) if mixing else kernel


def _guide(channels: int, reduction: int, options: Mapping[str, Option]) -> nn.Module:
    return ContextGuide(channels, reduction) if options["gate"] else nn.Identity()


def _rectify(network: nn.Module) -> None:
    """Put a ReLU in the place of every PReLU."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.PReLU):
                setattr(module, name, nn.ReLU(inplace=True))


def _halve(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, 3, stride=2, padding=1)
