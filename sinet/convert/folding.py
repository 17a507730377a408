"""SINet as few large operations: the same function, for inference at one size.

What is merged, against `sinet.networks`:

* every batch normalisation, into the convolution before it; also across an upsampling;
* the channel shuffle, into the grouped 1×1 convolution before it, which becomes an ordinary one;
* two S2 blocks that do not pool, into one: the 1×1 convolution before them writes its channels
  twice, one depthwise convolution serves both and one 1×1 convolution ends both, so that nothing is
  joined afterwards;
* the scale of the residual sum: every tensor between S2 modules is kept in units of its own, so
  that the sum needs no scaling (`_Folded.units`);
* the decoder's last two upsamplings and its 3×3 convolution, into two matrix products;
* the two logits, into their difference: all that a mask or a probability depends on.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.convert.algebra import (
    Affine,
    activation,
    activation_after_scale,
    affine_of,
    convolution,
    no_smaller,
    pad_kernel,
    settled,
    shuffled_order,
    ungrouped,
    weights_of,
)
from sinet.convert.decoder import FoldedDecoder
from sinet.networks.layers import (
    ChannelGate,
    GatedDownsampling,
    NormalisedActivation,
    SpatialSqueezeBlock,
    SpatialSqueezeModule,
    upsample,
)
from sinet.networks.sinet import SIDE_MULTIPLE, SINet

_VECTOR: Final = 16
"""float32 values in a register of 512 bits."""

_LARGEST_UNIT: Final = 1e12


class FoldedSINet(nn.Module):
    """A SINet of two classes for images of one size; maps them to one logit a pixel.

    Args:
        network: to take the weights from; left as it is.
        height: of the images, a multiple of 32.
        width: likewise.

    Raises:
        ValueError: another number of classes, or sides that are no multiples of 32.
    """

    def __init__(self, network: SINet, height: int, width: int) -> None:
        super().__init__()
        if network.classes != 2:
            raise ValueError(f"the network has {network.classes} classes; 2 can be folded.")
        if height % SIDE_MULTIPLE or width % SIDE_MULTIPLE:
            raise ValueError(f"{height} × {width}: sides must be multiples of {SIDE_MULTIPLE}.")
        encoder = network.encoder
        stem = affine_of(encoder.stem.post.norm)
        self.stem = convolution(
            _scaled(weights_of(encoder.stem.convolution), stem.scale), stem.shift, stride=2
        )
        self.stem_activation = activation(encoder.stem.post.activation.weight)
        self.to_quarter = _FoldedDownsampling(encoder.to_quarter)
        quarter = _fold_modules(encoder.quarter, encoder.to_quarter.pointwise.out_channels)
        self.quarter = quarter.modules
        self.join_quarter = _FoldedJoin(encoder.join_quarter, quarter.units)
        self.to_eighth = _FoldedDownsampling(encoder.to_eighth)
        eighth = _fold_modules(encoder.eighth, encoder.to_eighth.pointwise.out_channels)
        self.eighth = eighth.modules
        self.join_eighth = _FoldedJoin(encoder.join_eighth, eighth.units)
        self.decoder = FoldedDecoder(network, quarter.units, height, width)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Map float32 (1, 3, height, width), normalised, to (1, 1, height, width).

        The result is the person's logit minus the background's: its sigmoid is the probability
        of the person, and the mask is where it is above 0.
        """
        narrow = self.to_quarter(self.stem_activation(self.stem(images)))
        quarter = self.quarter(narrow)
        reduced = self.to_eighth(self.join_quarter(narrow, quarter))
        eighth = self.eighth(reduced)
        logit: Tensor = self.decoder(self.join_eighth(reduced, eighth), quarter)
        return logit


class _Folded(NamedTuple):
    """Folded S2 modules.

    Attributes:
        modules: in a row.
        units: (C,): the output is that of the original modules times this.
    """

    modules: nn.Sequential
    units: Tensor


def _fold_modules(originals: nn.Sequential, inputs: int) -> _Folded:
    units = torch.ones(inputs, dtype=torch.float64)
    modules = []
    for original in originals:
        assert isinstance(original, SpatialSqueezeModule)
        module = _FoldedModule(original, units)
        modules.append(module)
        units = module.units
    return _Folded(nn.Sequential(*modules), units)


class _FoldedModule(nn.Module):
    """S2 module; reads a tensor in units of `units`, writes one in units of its own."""

    residual_scale: Tensor | None

    def __init__(self, module: SpatialSqueezeModule, units: Tensor) -> None:
        super().__init__()
        half = module.reduce.out_channels
        post = affine_of(module.post.norm)
        scale, factor = torch.ones_like(post.scale), torch.ones_like(post.scale)
        if module.residual:
            scale, factor = _units_for_sum(post.scale, weights_of(module.post.activation), units)
        needed = bool((factor != 1).any())
        self.register_buffer(
            "residual_scale", settled(factor).view(1, -1, 1, 1) if needed else None
        )
        slopes, self.units = activation_after_scale(weights_of(module.post.activation), scale)
        after = Affine(post.scale * scale, post.shift * scale)
        first = Affine(after.scale[:half], after.shift[:half])
        second = Affine(after.scale[half:], after.shift[half:])
        reduce = _unshuffled(module) / units.view(1, -1, 1, 1)
        self.blocks: nn.Module
        if module.first.pool == module.second.pool == 1:
            reduce = torch.cat((reduce, reduce))
            self.blocks = _MergedBlocks(module.first, first, module.second, second)
        else:
            self.blocks = _SeparateBlocks(
                _FoldedBlock(module.first, first), _FoldedBlock(module.second, second)
            )
        self.residual = module.residual
        self.reduce = convolution(reduce)
        self.activation = activation(slopes)

    def forward(self, features: Tensor) -> Tensor:
        """Map (1, inputs, H, W) to (1, outputs, H, W)."""
        joined = self.blocks(self.reduce(features))
        if self.residual_scale is not None:
            joined = joined + features * self.residual_scale
        elif self.residual:
            joined = joined + features
        activated: Tensor = self.activation(joined)
        return activated


class _MergedBlocks(nn.Module):
    """Two S2 blocks that do not pool, side by side on channels of their own."""

    def __init__(
        self,
        first: SpatialSqueezeBlock,
        first_after: Affine,
        second: SpatialSqueezeBlock,
        second_after: Affine,
    ) -> None:
        super().__init__()
        blocks = (_FoldedBlock(first, first_after), _FoldedBlock(second, second_after))
        kernel = max(block.depthwise.kernel_size[0] for block in blocks)
        self.depthwise = convolution(
            torch.cat([pad_kernel(weights_of(block.depthwise), kernel) for block in blocks]),
            torch.cat([_bias(block.depthwise) for block in blocks]),
            groups=sum(block.depthwise.groups for block in blocks),
        )
        self.inner = activation(torch.cat([weights_of(block.inner) for block in blocks]))
        weight = torch.cat([weights_of(block.pointwise) for block in blocks])
        groups = len(blocks)
        if weight.shape[1] % _VECTOR:
            # Groups that fill no vector cost more than the zeros of an ordinary convolution.
            weight, groups = ungrouped(weight, groups), 1
        bias = torch.cat([_bias(block.pointwise) for block in blocks])
        self.pointwise = convolution(weight, bias, groups=groups)

    def forward(self, features: Tensor) -> Tensor:
        """Map (1, 2 · C, H, W), the same C channels twice, to the blocks' joined outputs."""
        merged: Tensor = self.pointwise(self.inner(self.depthwise(features)))
        return merged


class _SeparateBlocks(nn.Module):
    """Two S2 blocks of which at least one pools."""

    def __init__(self, first: "_FoldedBlock", second: "_FoldedBlock") -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, features: Tensor) -> Tensor:
        """Map (1, C, H, W) to (1, 2 · C, H, W)."""
        return torch.cat((self.first(features), self.second(features)), dim=1)


class _FoldedBlock(nn.Module):
    """S2 block, with what follows it (`after`) in its 1×1 convolution."""

    def __init__(self, block: SpatialSqueezeBlock, after: Affine) -> None:
        super().__init__()
        inner, norm = affine_of(block.inner.norm), affine_of(block.norm)
        self.pool = block.pool
        self.depthwise = convolution(
            _scaled(weights_of(block.depthwise), inner.scale),
            inner.shift,
            groups=block.depthwise.groups,
        )
        self.inner = activation(block.inner.activation.weight)
        self.pointwise = convolution(
            _scaled(weights_of(block.pointwise), norm.scale * after.scale),
            norm.shift * after.scale + after.shift,
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (1, C, H, W) to the same shape."""
        if self.pool > 1:
            features = functional.avg_pool2d(features, self.pool)
        features = self.pointwise(self.inner(self.depthwise(features)))
        return upsample(features, self.pool) if self.pool > 1 else features


class _FoldedDownsampling(nn.Module):
    """Halving of the size with a channel gate, its normalisation in the 1×1 convolution."""

    def __init__(self, original: GatedDownsampling) -> None:
        super().__init__()
        self.depthwise = convolution(
            weights_of(original.depthwise), stride=2, groups=original.depthwise.groups
        )
        self.gate = _FoldedGate(original.gate)
        norm = affine_of(original.post.norm)
        self.pointwise = convolution(
            _scaled(weights_of(original.pointwise), norm.scale), norm.shift
        )
        self.activation = activation(original.post.activation.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Map (1, inputs, H, W) to (1, outputs, H / 2, W / 2)."""
        reduced: Tensor = self.activation(self.pointwise(self.gate(self.depthwise(features))))
        return reduced


class _FoldedGate(nn.Module):
    """Channel gate of 1×1 convolutions: a shape that needs no rearrangement."""

    def __init__(self, original: ChannelGate) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer in original.gate:
            if isinstance(layer, nn.Linear):
                bias = layer.bias.detach().double()
                layers.append(convolution(weights_of(layer)[:, :, None, None], bias))
            else:
                assert isinstance(layer, nn.PReLU)
                layers.append(activation(layer.weight))
        self.gate = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Scale every channel of (1, C, H, W) by a gate made of all channels' means."""
        scaled: Tensor = features * self.gate(features.mean(dim=(2, 3), keepdim=True))
        return scaled


class _FoldedJoin(nn.Module):
    """Normalisation and PReLU of two joined tensors, the second in units of its own."""

    scale: Tensor
    shift: Tensor

    def __init__(self, original: NormalisedActivation, units: Tensor) -> None:
        super().__init__()
        norm = affine_of(original.norm)
        narrow = len(norm.scale) - len(units)
        scale = norm.scale / torch.cat((torch.ones(narrow, dtype=torch.float64), units))
        self.register_buffer("scale", settled(scale).view(1, -1, 1, 1))
        self.register_buffer("shift", settled(norm.shift).view(1, -1, 1, 1))
        self.activation = activation(original.activation.weight)

    def forward(self, narrow: Tensor, wide: Tensor) -> Tensor:
        """Join (1, A, H, W) and (1, B, H, W) to (1, A + B, H, W)."""
        joined = torch.cat((narrow, wide), dim=1)
        activated: Tensor = self.activation(joined * self.scale + self.shift)
        return activated


def _units_for_sum(post_scale: Tensor, slopes: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
    """Choose in which units a residual module's sum is taken.

    The module computes PReLU(post_scale · (blocks + input) + shift), where what is at hand is
    input · units. With everything in the PReLU scaled by units / post_scale, the input is added as
    it is. Where that would make a number too large or small, the scale is 1.

    Returns:
        The scale, and what the input has to be multiplied by before it is added, both (C,).
    """
    scale = units / no_smaller(post_scale)
    _, left = activation_after_scale(slopes, scale)
    size = torch.maximum(left.abs(), scale.abs())
    fits = (size < _LARGEST_UNIT) & (torch.minimum(left.abs(), scale.abs()) > 1 / _LARGEST_UNIT)
    factor = torch.where(fits, 1.0, post_scale / units)
    return torch.where(fits, scale, 1.0), factor


def _unshuffled(module: SpatialSqueezeModule) -> Tensor:
    """Return the weight of an ordinary 1×1 convolution: the grouped one and the shuffle."""
    weight = ungrouped(weights_of(module.reduce), module.GROUPS)
    return weight[shuffled_order(len(weight), module.GROUPS)]


def _scaled(weight: Tensor, scale: Tensor) -> Tensor:
    """Scale the outputs of a convolution."""
    return weight * scale.view(-1, 1, 1, 1)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias.detach().double()
