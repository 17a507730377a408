"""SINet: portrait segmentation with 86,910 parameters (arXiv 1911.09099, portrait variant).

    image ─▶ stem 1/2 ─▶ 1/4 (narrow, 2 S2 modules) ─▶ 1/8 (8 S2 modules) ─▶ encoder head
                              │                                               │ ×2
                              └── skip, let through where the head is unsure ─▶ + ─▶ ×2 ─▶ ×2

The decoder blocks information: what the coarse prediction is sure of, the finer features may not
change. 63.87 M multiply-adds at 224 × 224 with two classes.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from sinet.errors import NetworkError
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

Views: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""(kernel, pool) of the two views of an S2 module."""

_WIDENING: Final[Views] = ((3, 1), (5, 1))
_QUARTER_VIEWS: Final[tuple[Views, ...]] = (_WIDENING, ((3, 1), (3, 1)))
_EIGHTH_VIEWS: Final[tuple[Views, ...]] = (
    _WIDENING,
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
    """SINet's encoder with its own classifier at 1/8 of the size.

    Args:
        classes: number of output channels.
        options: SINet's, every one of them.
    """

    def __init__(self, classes: int, options: Mapping[str, Option]) -> None:
        super().__init__()
        self.stem = ConvolutionUnit(3, 12, kernel=3, stride=2)
        self.to_quarter = _downsampling(12, 16, None, options)
        self.quarter = _modules(16, 48, _QUARTER_VIEWS, options)
        self.join_quarter = NormalisedActivation(16 + 48)
        self.to_eighth = _downsampling(64, 48, 32, options)
        self.eighth = _modules(48, 96, _EIGHTH_VIEWS, options)
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
        options: what the paper's tables vary, the published network first.

            `blocking`, of the skip by what the coarse prediction is sure of: `confidence`,
            `detached` (no gradient flows through the gate), `reverse` (let through where it is
            sure), `global` (weighed class by class by that prediction's mean over the image, as by
            PAN's global attention upsample, arXiv 1805.10180), `off` (always let through).
            `views`, how S2 blocks see far: `pooling`, or `dilation` by the same factor.
            `downsampling` to 1/4 and 1/8: `dsconv_se` (depthwise, gated), `dsconv` (without the
            gate), `s2` (S2 modules of stride 2).
            `kernels` of the S2 blocks: `published` (3 and 5), or 3 or 5 everywhere.
            `pools` of the S2 blocks: `published` (1, 2 and 4), at most 2, or 1: none.

    Raises:
        NetworkError: dilation without anything to dilate.
    """

    name: ClassVar[str] = "sinet"
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "blocking": ("confidence", "detached", "reverse", "global", "off"),
        "views": ("pooling", "dilation"),
        "downsampling": ("dsconv_se", "dsconv", "s2"),
        "kernels": ("published", 3, 5),
        "pools": ("published", 2, 1),
    }
    strides: tuple[int, ...] = (1, 8)
    encoder_head: bool = True
    attention_names: tuple[str, ...] = ("doubt",)
    source: ClassVar[str] = "SINet, WACV 2020, arXiv 1911.09099"
    licence: ClassVar[str] = "authors' code MIT"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        if self.options["views"] == "dilation" and self.options["pools"] == 1:
            raise NetworkError("sinet: `views` dilation spreads kernels by `pools`, which are 1.")
        self.encoder = Encoder(classes, self.options)
        self.coarse_norm = batch_norm(classes)
        self.skip = ConvolutionUnit(48, classes, kernel=1)
        self.weigh: nn.Module | None = None
        if self.options["blocking"] == "global":
            self.weigh = nn.Sequential(nn.Linear(classes, classes), nn.Sigmoid())
        if self.options["blocking"] in ("global", "off"):  # no place is attended to
            self.attention_names = ()
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

    def attention_maps(self, images: Tensor) -> dict[str, Tensor]:
        """Return `doubt`: where the coarse prediction is unsure, and details may change it."""
        self.check_images(images)
        encoding = self.encoder(pad_to_multiple(images, SIDE_MULTIPLE))
        coarse = self.coarse_norm(upsample(encoding.logits, 2))
        height, width = images.shape[-2:]
        return {"doubt": upsample(1 - _confidence(coarse), 4)[:, 0, :height, :width]}

    def _decode(self, encoding: Encoding) -> Tensor:
        coarse = self.coarse_norm(upsample(encoding.logits, 2))  # (N, classes, H / 4, W / 4)
        skip = self._blocked(self.skip(encoding.quarter), coarse)
        fine = self.fine_norm(upsample(skip + coarse, 2))  # (N, classes, H / 2, W / 2)
        logits: Tensor = self.classifier(upsample(fine, 2))
        return logits

    def _blocked(self, skip: Tensor, coarse: Tensor) -> Tensor:
        """Let the skip through as the option `blocking` says; all (N, classes, H / 4, W / 4)."""
        blocking = self.options["blocking"]
        if blocking == "off":
            return skip
        if self.weigh is not None:
            weights = self.weigh(coarse.mean(dim=(2, 3)))  # (N, classes)
            weighed: Tensor = skip * weights[:, :, None, None]
            return weighed
        confidence = _confidence(coarse)
        if blocking == "detached":
            confidence = confidence.detach()
        return skip * (confidence if blocking == "reverse" else 1 - confidence)


def _confidence(coarse: Tensor) -> Tensor:
    """Return the probability of the likeliest class, (N, 1, H, W), of logits (N, classes, H, W)."""
    return coarse.softmax(dim=1).amax(dim=1, keepdim=True)


def _modules(
    inputs: int, outputs: int, published: tuple[Views, ...], options: Mapping[str, Option]
) -> nn.Sequential:
    """Return S2 modules in a row: the first widens, the others are residual."""
    dilated = options["views"] == "dilation"
    modules: list[nn.Module] = []
    for views in published:
        first, second = (_view(kernel, pool, options) for kernel, pool in views)
        residual = bool(modules)
        modules.append(
            SpatialSqueezeModule(
                inputs, outputs, (first, second), residual=residual, dilated=dilated
            )
        )
        inputs = outputs
    return nn.Sequential(*modules)


def _view(kernel: int, pool: int, options: Mapping[str, Option]) -> tuple[int, int]:
    """Return the (kernel, pool) that takes the place of a published one."""
    kernels, pools = options["kernels"], options["pools"]
    return (
        kernel if kernels == "published" else int(kernels),
        pool if pools == "published" else min(pool, int(pools)),
    )


def _downsampling(
    inputs: int, outputs: int, gate_hidden: int | None, options: Mapping[str, Option]
) -> GatedDownsampling | SpatialSqueezeModule:
    if options["downsampling"] == "s2":
        return SpatialSqueezeModule(inputs, outputs, _WIDENING, residual=False, stride=2)
    gated = options["downsampling"] == "dsconv_se"
    return GatedDownsampling(inputs, outputs, gate_hidden, gated=gated)
