"""Folded S2 modules: fewer, larger operations between tensors in units of their own."""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.convert.algebra import (
    Affine,
    activation,
    activation_after_scale,
    affine_of,
    bias_of,
    convolution,
    no_smaller,
    pad_kernel,
    scaled,
    settled,
    shuffled_order,
    ungrouped,
    weights_of,
)
from sinet.networks.layers import SpatialSqueezeBlock, SpatialSqueezeModule, upsample

_VECTOR: Final = 16
"""float32 values in a register of 512 bits."""

_LARGEST_UNIT: Final = 1e12


class Folded(NamedTuple):
    """Folded S2 modules.

    Attributes:
        modules: in a row.
        units: (C,): the output is that of the original modules times this.
    """

    modules: nn.Sequential
    units: Tensor


def fold_modules(originals: nn.Sequential, inputs: int) -> Folded:
    """Fold a row of S2 modules that read an ordinary tensor of `inputs` channels."""
    units = torch.ones(inputs, dtype=torch.float64)
    modules = []
    for original in originals:
        assert isinstance(original, SpatialSqueezeModule)
        module = _FoldedModule(original, units)
        modules.append(module)
        units = module.units
    return Folded(nn.Sequential(*modules), units)


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
            torch.cat([bias_of(block.depthwise) for block in blocks]),
            groups=sum(block.depthwise.groups for block in blocks),
        )
        self.inner = activation(torch.cat([weights_of(block.inner) for block in blocks]))
        weight = torch.cat([weights_of(block.pointwise) for block in blocks])
        groups = len(blocks)
        if weight.shape[1] % _VECTOR:
            # Groups that fill no vector cost more than the zeros of an ordinary convolution.
            weight, groups = ungrouped(weight, groups), 1
        bias = torch.cat([bias_of(block.pointwise) for block in blocks])
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
            scaled(weights_of(block.depthwise), inner.scale),
            inner.shift,
            groups=block.depthwise.groups,
        )
        self.inner = activation(block.inner.activation.weight)
        self.pointwise = convolution(
            scaled(weights_of(block.pointwise), norm.scale * after.scale),
            norm.shift * after.scale + after.shift,
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (1, C, H, W) to the same shape."""
        if self.pool > 1:
            features = functional.avg_pool2d(features, self.pool)
        features = self.pointwise(self.inner(self.depthwise(features)))
        return upsample(features, self.pool) if self.pool > 1 else features


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
