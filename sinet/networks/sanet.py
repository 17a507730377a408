"""SANet: squeeze-and-attention (arXiv 1909.03402, CVPR 2020) on a dilated backbone.

    backbone, four stages ─▶ a squeeze-and-attention head each ─▶ sum ─▶ logits ─┐
                      └────▶ plain classifier of the last stage (dense output) ─▶ + ─▶ resized

The authors published no code. Open points are decided here as follows: a head is 64 channels
wide; its attention ends in a sigmoid, as in the paper, and so has no ReLU before it; the heads'
outputs are resized to the first's (1/4) and added; the prediction is their sum plus the dense
output (the re-implementations agree on the core, not on these).
"""

from collections.abc import Collection, Mapping
from typing import ClassVar, Final

from torch import Tensor, nn
from torch.nn import functional

from sinet.errors import NetworkError
from sinet.losses.auxiliary import presence_loss
from sinet.networks.backbones import fill, imagenet_weights, limit_stride, torchvision_model
from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import convolution, pad_to_multiple, resize
from sinet.networks.options import Option

STRIDE: Final = 8
"""Of the backbone's last stages, and of the dense output."""

HEAD_WIDTH: Final = 64

_RESNET_CHANNELS: Final = (256, 512, 1024, 2048)
# Ends of EfficientNet-B7's stages at 1/4 and 1/8, and of those that would be at 1/16 and 1/32.
_EFFICIENTNET_ENDS: Final = (2, 3, 5, 7)
_EFFICIENTNET_CHANNELS: Final = (48, 80, 224, 640)


class SANet(SegmentationNetwork):
    """The whole network, for images from 16 × 16 pixels.

    Its loss is mask + 0.8 · dense + 0.2 · categorical: the weight of the dense output is
    `LossWeights.coarse`, that of the presence of classes `LossWeights.categorical`.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: `backbone`; `heads`: `attention`, or to compare with `excitation`, whose summary is
            of the whole image, or `none`: the dense output alone; `categorical`, true for the head
            that says which classes an image holds (of little use for portraits: the person always
            is).
    """

    name: ClassVar[str] = "sanet"
    strides: tuple[int, ...] = (1, STRIDE)
    minimum_side: ClassVar[int] = 16
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "backbone": ("resnet50", "resnet101", "efficientnet_b7"),
        "heads": ("attention", "excitation", "none"),
        "categorical": (False, True),
    }
    source: ClassVar[str] = "SANet, CVPR 2020, arXiv 1909.03402"
    licence: ClassVar[str] = "no authors' code; pretrained backbones: torchvision BSD-3"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        backbone = str(self.options["backbone"])
        self.stages, channels = _stages(backbone)
        head = _HEADS.get(str(self.options["heads"]))
        self.heads = nn.ModuleList()
        self.classifier: nn.Module | None = None
        if head is not None:
            self.heads.extend(head(width, HEAD_WIDTH) for width in channels)
            self.classifier = nn.Conv2d(HEAD_WIDTH, classes, 1)
        if head is SqueezeAttention:  # the other one attends to channels, to no place
            self.attention_names = ("stage1", "stage2", "stage3", "stage4")
        self.dense_classifier = nn.Conv2d(channels[-1], classes, 1)
        self.presence_classifier: nn.Module | None = None
        if self.options["categorical"]:
            self.presence_classifier = nn.Linear(channels[-1], classes)
            self.extra_losses = ("categorical",)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, sides from 16, to logits (N, classes, H, W)."""
        self.check_images(images)
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, STRIDE)
        logits, _ = self._classify(padded, self._encode(padded))
        return logits[..., :height, :width]

    def training_logits(self, images: Tensor, *, encoder_only: bool = False) -> tuple[Tensor, ...]:
        """Return the logits and the dense output's at 1/8.

        Args:
            images: float (N, 3, H, W), sides multiples of 8.
            encoder_only: an error, as there is no encoder head.
        """
        self.check_images(images)
        if encoder_only:
            return super().training_logits(images, encoder_only=True)
        return self._classify(images, self._encode(images))

    def training_step(
        self, images: Tensor, labels: Tensor, wanted: Collection[str]
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Return the logits, the dense output's, and the loss `categorical` if it is wanted.

        Raises:
            NetworkError: it is wanted without the option `categorical`.
        """
        self.check_images(images)
        stages = self._encode(images)
        losses = {}
        if "categorical" in wanted:
            if self.presence_classifier is None:
                raise NetworkError("the loss `categorical` needs the option of that name.")
            summary = stages[-1].mean(dim=(2, 3))  # (N, C)
            losses["categorical"] = presence_loss(self.presence_classifier(summary), labels)
        return self._classify(images, stages), losses

    def attention_maps(self, images: Tensor) -> dict[str, Tensor]:
        """Return the four heads' attention, mean over the channels."""
        self.check_images(images)
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, STRIDE)
        found = {}
        for name, head, stage in zip(
            self.attention_names, self.heads, self._encode(padded), strict=True
        ):
            assert isinstance(head, SqueezeAttention)
            means = head.attend(stage).mean(dim=1, keepdim=True)
            found[name] = resize(means, like=padded)[:, 0, :height, :width]
        return found

    def load_pretrained(self) -> None:
        """Give the backbone torchvision's weights."""
        backbone = str(self.options["backbone"])
        tensors = imagenet_weights(backbone)
        whole = torchvision_model(backbone)
        whole.load_state_dict(tensors)
        for own, trained in zip(self.stages, _split(whole, backbone), strict=True):
            fill(own, trained.state_dict())

    def _encode(self, images: Tensor) -> list[Tensor]:
        """Return the four stages' features: at 1/4, and three times at 1/8."""
        features, found = images, []
        for stage in self.stages:
            features = stage(features)
            found.append(features)
        return found

    def _classify(self, images: Tensor, stages: list[Tensor]) -> tuple[Tensor, Tensor]:
        dense = self.dense_classifier(stages[-1])  # (N, classes, H / 8, W / 8)
        if self.classifier is None:
            return resize(dense, like=images), dense
        attended = [head(stage) for head, stage in zip(self.heads, stages, strict=True)]
        merged = attended[0]
        for each in attended[1:]:
            merged = merged + resize(each, like=merged)
        masks = self.classifier(merged)  # (N, classes, H / 4, W / 4)
        return resize(masks + resize(dense, like=masks), like=images), dense


class SqueezeAttention(nn.Module):
    """Squeeze-and-attention head: features, weighed by and added to an attention at half size.

    Unlike squeeze and excitation, the attention is a map: what is in a region counts, not what is
    in the whole image.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(*_pair(inputs, outputs), nn.ReLU(inplace=True))
        self.attention = nn.Sequential(*_pair(inputs, outputs), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W), sides from 2, to (N, outputs, H, W)."""
        attention = self.attend(features)
        attended: Tensor = attention * self.main(features) + attention
        return attended

    def attend(self, features: Tensor) -> Tensor:
        """Return the attention, (N, outputs, H, W), 0..1."""
        return resize(self.attention(functional.avg_pool2d(features, 2)), like=features)


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation head (arXiv 1709.01507): features weighed by the whole image's means.

    What the paper compares its heads with; reduced 16 times between.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(*_pair(inputs, outputs), nn.ReLU(inplace=True))
        self.gate = nn.Sequential(
            nn.Linear(inputs, inputs // 16),
            nn.ReLU(inplace=True),
            nn.Linear(inputs // 16, outputs),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        gates = self.gate(features.mean(dim=(2, 3)))  # (N, outputs)
        weighed: Tensor = self.main(features) * gates[:, :, None, None]
        return weighed


_HEADS: Final = {"attention": SqueezeAttention, "excitation": SqueezeExcitation}


def _pair(inputs: int, outputs: int) -> list[nn.Module]:
    """Two 3×3 convolutions with normalisation; the activation after the second is left out."""
    return [
        convolution(inputs, outputs, 3),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        convolution(outputs, outputs, 3),
        nn.BatchNorm2d(outputs),
    ]


def _stages(backbone: str) -> tuple[nn.ModuleList, tuple[int, ...]]:
    """Return a backbone's four stages, dilated to 1/8, and their channels."""
    if backbone == "efficientnet_b7":
        whole = torchvision_model(backbone)
        limit_stride(whole.features, STRIDE)
        return _split(whole, backbone), _EFFICIENTNET_CHANNELS
    dilated = [False, True, True]
    whole = torchvision_model(backbone, replace_stride_with_dilation=dilated)
    return _split(whole, backbone), _RESNET_CHANNELS


def _split(whole: nn.Module, backbone: str) -> nn.ModuleList:
    if backbone == "efficientnet_b7":
        features = whole.get_submodule("features")
        assert isinstance(features, nn.Sequential)
        begins = (0, *(end + 1 for end in _EFFICIENTNET_ENDS[:-1]))
        ends = (end + 1 for end in _EFFICIENTNET_ENDS)
        return nn.ModuleList(features[begin:end] for begin, end in zip(begins, ends, strict=True))
    part = whole.get_submodule
    stem = [part(name) for name in ("conv1", "bn1", "relu", "maxpool")]
    first = nn.Sequential(*stem, part("layer1"))
    return nn.ModuleList([first, part("layer2"), part("layer3"), part("layer4")])
