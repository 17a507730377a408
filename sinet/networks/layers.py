"""What the networks are built from; SINet's modules (arXiv 1911.09099, section 3) come last.

All convolutions are free of bias and every PReLU has one slope a channel. Shapes in comments:
N images, C channels, H × W pixels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM_EPSILON = 1e-3


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return the batch normalisation of SINet, CGNet and ExtremeC3Net."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=0.1)


def upsample(features: Tensor, factor: int) -> Tensor:
    """Enlarge (N, C, H, W) bilinearly to (N, C, factor · H, factor · W), corners on corners."""
    return functional.interpolate(
        features, scale_factor=factor, mode="bilinear", align_corners=True
    )


def resize(features: Tensor, like: Tensor, *, align_corners: bool = False) -> Tensor:
    """Resize (N, C, h, w) bilinearly to the size of `like`, (…, H, W): (N, C, H, W)."""
    return functional.interpolate(
        features, like.shape[-2:], mode="bilinear", align_corners=align_corners
    )


def means_over(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Return means over as many parts of the image, (N, C, *size), of (N, C, H, W) of any size.

    As PyTorch's adaptive pooling, but by two products of matrices, which ONNX knows for every size.
    """
    height, width = (int(side) for side in features.shape[-2:])
    rows, columns = _shares(height, size[0]).to(features), _shares(width, size[1]).to(features)
    return rows @ features @ columns.T


def _shares(side: int, parts: int) -> Tensor:
    """Return how much each of `side` places counts in the mean of a part: (parts, side)."""
    shares = torch.zeros(parts, side)
    for number in range(parts):
        begin, end = number * side // parts, -(-(number + 1) * side // parts)
        shares[number, begin:end] = 1 / (end - begin)
    return shares


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Repeat the right and bottom edge of (N, C, H, W) until both sides are multiples."""
    right, bottom = -images.shape[-1] % multiple, -images.shape[-2] % multiple
    if right == 0 and bottom == 0:
        return images
    return functional.pad(images, (0, right, 0, bottom), mode="replicate")


def shuffle_channels(features: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` groups, so that the next layer mixes them.

    With 2 groups the channels a0 a1 a2 b0 b1 b2 become a0 b0 a1 b1 a2 b2.
    """
    batch, channels, height, width = features.shape
    grouped = features.view(batch, groups, channels // groups, height, width)
    return grouped.transpose(1, 2).reshape(batch, channels, height, width)


class NormalisedActivation(nn.Module):
    """Batch normalisation, then PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = batch_norm(channels)
        self.activation = nn.PReLU(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        activated: Tensor = self.activation(self.norm(features))
        return activated


def convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, rate: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution without bias that keeps the size, or divides it by `stride`.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: odd side.
        stride: of the steps.
        rate: dilation, the distance of the kernel's taps.
        groups: of channels that see only each other; as many as inputs: depthwise.
    """
    padding = rate * (kernel // 2)
    return nn.Conv2d(
        inputs, outputs, kernel, stride, padding, dilation=rate, groups=groups, bias=False
    )


def depthwise(channels: int, kernel: int = 3, *, stride: int = 1, rate: int = 1) -> nn.Conv2d:
    """Return a depthwise convolution, one kernel a channel."""
    return convolution(channels, channels, kernel, stride=stride, rate=rate, groups=channels)


def rectified(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, rate: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution as `convolution`, batch normalisation and ReLU."""
    return nn.Sequential(
        convolution(inputs, outputs, kernel, stride=stride, rate=rate, groups=groups),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable_rectified(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """Return a depthwise 3×3 and a 1×1 convolution, each normalised and rectified."""
    return nn.Sequential(
        rectified(inputs, inputs, 3, stride=stride, groups=inputs), rectified(inputs, outputs, 1)
    )


class ConvolutionUnit(nn.Module):
    """Dense convolution, batch normalisation, PReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = convolution(inputs, outputs, kernel, stride=stride)
        self.post = NormalisedActivation(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        activated: Tensor = self.post(self.convolution(features))
        return activated


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen, convolve each channel, narrow without activation.

    The input is added where size and channels stay.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: 2 halves the size.
        expansion: by which the channels are widened.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        self.is_residual = stride == 1 and inputs == outputs
        wide = expansion * inputs
        self.path = nn.Sequential(
            rectified(inputs, wide, 1),
            rectified(wide, wide, 3, stride=stride, groups=wide),
            convolution(wide, outputs, 1),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        found: Tensor = self.path(features)
        return features + found if self.is_residual else found


def inverted_residuals(
    inputs: int, rows: Sequence[tuple[int, int, int, int]]
) -> tuple[list[nn.Module], int]:
    """Return blocks in a row and their channels out.

    Args:
        inputs: channels in.
        rows: expansion, channels out, how many blocks, stride of the first.
    """
    blocks: list[nn.Module] = []
    for expansion, outputs, number, stride in rows:
        for place in range(number):
            step = stride if place == 0 else 1
            blocks.append(InvertedResidual(inputs, outputs, stride=step, expansion=expansion))
            inputs = outputs
    return blocks, inputs


class ChannelGate(nn.Module):
    """Squeeze and excitation whose gate ends in a PReLU, so that it has no upper bound.

    Args:
        channels: C of input and output.
        hidden: width of the layer between; None for a single layer.
    """

    def __init__(self, channels: int, hidden: int | None) -> None:
        super().__init__()
        if hidden is None:
            layers: list[nn.Module] = [nn.Linear(channels, channels), nn.PReLU(channels)]
        else:
            layers = [
                nn.Linear(channels, hidden),
                nn.PReLU(hidden),
                nn.Linear(hidden, channels),
                nn.PReLU(channels),
            ]
        self.gate = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Scale every channel of (N, C, H, W) by a gate made of all channels' means."""
        gates = self.gate(features.mean(dim=(2, 3)))  # (N, C)
        scaled: Tensor = features * gates[:, :, None, None]
        return scaled


class GatedDownsampling(nn.Module):
    """Halve the size: depthwise 3×3 of stride 2, channel gate, 1×1, normalisation, PReLU.

    There is no normalisation between the depthwise convolution and the gate.

    Args:
        inputs: channels in.
        outputs: channels out.
        gate_hidden: of the gate, see `ChannelGate`.
        gated: False leaves the gate out.
    """

    def __init__(
        self, inputs: int, outputs: int, gate_hidden: int | None, *, gated: bool = True
    ) -> None:
        super().__init__()
        self.depthwise = depthwise(inputs, stride=2)
        self.gate = ChannelGate(inputs, gate_hidden) if gated else nn.Identity()
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.post = NormalisedActivation(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / 2⌉, ⌈W / 2⌉)."""
        reduced: Tensor = self.post(self.pointwise(self.gate(self.depthwise(features))))
        return reduced


class SpatialSqueezeBlock(nn.Module):
    """S2 block: look at the features at 1/pool of their size, with a depthwise kernel.

    A larger `pool` widens the view at no cost; the block ends in a normalisation without
    activation.

    Args:
        channels: in and out.
        kernel: odd side of the depthwise kernel.
        pool: by which the features are shrunk first and enlarged last.
        dilated: widen the view by as much with a spread kernel instead, at full size.
        stride: 2 halves the size; without pooling only.
    """

    def __init__(
        self, channels: int, kernel: int, pool: int, *, dilated: bool = False, stride: int = 1
    ) -> None:
        super().__init__()
        self.pool = 1 if dilated else pool
        rate = pool if dilated else 1
        self.depthwise = depthwise(channels, kernel, stride=stride, rate=rate)
        self.inner = NormalisedActivation(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = batch_norm(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W), sides multiples of `pool`, to (N, C, ⌈H / stride⌉, ⌈W / stride⌉)."""
        if self.pool > 1:
            features = functional.avg_pool2d(features, self.pool)
        features = self.pointwise(self.inner(self.depthwise(features)))
        if self.pool > 1:
            features = upsample(features, self.pool)
        normalised: Tensor = self.norm(features)
        return normalised


class SpatialSqueezeModule(nn.Module):
    """S2 module: halve the channels, shuffle them, view them in two ways, join the views.

    Args:
        inputs: channels in.
        outputs: channels out; half of them from either block.
        views: (kernel, pool) of the two blocks, which see the same tensor.
        residual: add the input before the last activation; needs inputs == outputs.
        dilated: of the blocks.
        stride: of the blocks; 2 halves the size.
    """

    GROUPS = 2

    def __init__(
        self,
        inputs: int,
        outputs: int,
        views: tuple[tuple[int, int], tuple[int, int]],
        *,
        residual: bool,
        dilated: bool = False,
        stride: int = 1,
    ) -> None:
        super().__init__()
        half = outputs // 2
        self.residual = residual
        self.reduce = nn.Conv2d(inputs, half, 1, groups=self.GROUPS, bias=False)
        self.first = SpatialSqueezeBlock(half, *views[0], dilated=dilated, stride=stride)
        self.second = SpatialSqueezeBlock(half, *views[1], dilated=dilated, stride=stride)
        self.post = NormalisedActivation(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        reduced = shuffle_channels(self.reduce(features), self.GROUPS)
        joined = torch.cat((self.first(reduced), self.second(reduced)), dim=1)
        if self.residual:
            joined = joined + features
        activated: Tensor = self.post(joined)
        return activated
