"""PortraitNet (Computers & Graphics 2019): MobileNetV2 and a decoder that adds the skips.

    1/32 ─▶ transition ─▶ ×2 ─▶ + 1/16 ─▶ transition ─▶ ×2 ─▶ + 1/8 ─▶ … ─▶ logits

Its losses are its point. Beside the prediction it learns the outline (`edge`), the mask of a
picture whose colours were disturbed (`perturbed`), and to say of that picture what it says of the
clean one (`consistency`). 2,080,760 parameters and 0.361 G multiply-adds at 224 × 224 with two
classes, 144 parameters more with the edge head, which only training uses.
"""

import itertools
from collections.abc import Collection, Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from sinet.errors import NetworkError
from sinet.labels import IGNORED
from sinet.losses.auxiliary import consistency_loss, edge_loss
from sinet.losses.segmentation import mean_over, pixel_losses
from sinet.networks.backbones import fill, imagenet_weights, torchvision_model
from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import convolution, depthwise, pad_to_multiple, rectified
from sinet.networks.options import Option
from sinet.processes import own_rows, whole_batch

SIDE_MULTIPLE: Final = 32
"""The encoder halves five times, and the decoder adds what lies at each size."""

# Last of torchvision's layers at 1/2, 1/4, 1/8 and 1/16; their channels; then the deepest, 1/32.
_TAPS: Final = (1, 3, 6, 13)
_DEEPEST: Final = 17
_DECODER: Final = (320, 96, 32, 24, 16, 8)
# Strength of the disturbance, in normalised units (1 is a standard deviation of the pixels).
_GAIN, _OFFSET, _NOISE = 0.4, 0.5, 0.1


class PortraitNet(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: `edge_head`, true to train with the loss `edge`.
    """

    name: ClassVar[str] = "portraitnet"
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {"edge_head": (False, True)}
    source: ClassVar[str] = "PortraitNet, Computers & Graphics 2019"
    licence: ClassVar[str] = "own description; pretrained MobileNetV2: torchvision BSD-3"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        layers = torchvision_model("mobilenet_v2").features[: _DEEPEST + 1]
        # The authors' first block has the expansion to as many channels that torchvision's lacks.
        layers[1] = nn.Sequential(rectified(32, 32, 1), layers[1])
        self.backbone = layers
        self.transitions = nn.ModuleList(Transition(*pair) for pair in itertools.pairwise(_DECODER))
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False)
            for width in _DECODER[1:]
        )
        self.classifier = convolution(_DECODER[-1], classes, 3)
        self.edge_classifier: nn.Module | None = None
        self.extra_losses = ("perturbed", "consistency")
        if self.options["edge_head"]:
            self.edge_classifier = convolution(_DECODER[-1], 2, 3)
            self.extra_losses = ("perturbed", "consistency", "edge")

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        self.check_images(images)
        height, width = images.shape[-2:]
        logits: Tensor = self.classifier(self._decode(images))
        return logits[..., :height, :width]

    def training_step(
        self, images: Tensor, labels: Tensor, wanted: Collection[str]
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Return the logits and those wanted of `edge`, `perturbed` and `consistency`.

        Args:
            images: float (N, 3, H, W), normalised, sides multiples of 32.
            labels: int64 (N, H, W).
            wanted: names of losses.

        Raises:
            NetworkError: `edge` is wanted without the option `edge_head`.
        """
        features = self._decode(images)
        logits: Tensor = self.classifier(features)
        losses = {}
        if "edge" in wanted:
            if self.edge_classifier is None:
                raise NetworkError("the loss `edge` needs the option edge_head.")
            losses["edge"] = edge_loss(self.edge_classifier(features), labels)
        if "perturbed" in wanted or "consistency" in wanted:
            perturbed: Tensor = self.classifier(self._decode(perturb_colours(images)))
            if "perturbed" in wanted:
                losses["perturbed"] = mean_over(pixel_losses(perturbed, labels), labels != IGNORED)
            if "consistency" in wanted:
                losses["consistency"] = consistency_loss(perturbed, logits)
        return (logits,), losses

    def load_pretrained(self) -> None:
        """Give MobileNetV2 torchvision's weights; the added first expansion stays random."""
        tensors = imagenet_weights("mobilenet_v2")
        for number, layer in enumerate(self.backbone):
            fill(layer[1] if number == 1 else layer, tensors, f"features.{number}.")

    def _decode(self, images: Tensor) -> Tensor:
        """Return (N, 8, H, W), sides rounded up to multiples of 32."""
        features, skips = pad_to_multiple(images, SIDE_MULTIPLE), []
        for number, layer in enumerate(self.backbone):
            features = layer(features)
            if number in _TAPS:
                skips.append(features)
        for transition, enlarge in zip(self.transitions, self.enlarge, strict=True):
            features = enlarge(transition(features))
            if skips:
                features = features + skips.pop()
        return features


class Transition(nn.Module):
    """Residual block of two depthwise-separable convolutions that narrows the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            depthwise(inputs),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            rectified(inputs, outputs, 1),
            depthwise(outputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            convolution(outputs, outputs, 1),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        return torch.relu(self.path(features) + self.shortcut(features))


def perturb_colours(images: Tensor) -> Tensor:
    """Disturb contrast, brightness and colour of normalised images, and add noise.

    Random, from PyTorch's global generator; every image (N, 3, H, W) differently.
    """
    batch = whole_batch(images)
    shape = (len(batch), 3, 1, 1)
    gain = 1 + _GAIN * (2 * own_rows(torch.rand(shape, device=images.device)) - 1)
    offset = _OFFSET * (2 * own_rows(torch.rand(shape, device=images.device)) - 1)
    return images * gain + offset + _NOISE * own_rows(torch.randn_like(batch))
