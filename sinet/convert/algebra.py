"""Per-channel arithmetic on weights, in float64: what lets layers be merged into their neighbours.

A scale or a shift per channel may be moved through a convolution, and through bilinear
interpolation; a scale also through a PReLU (see `activation_after_scale`).
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

_NEGLIGIBLE: Final = 1e-30
_SMALLEST_DIVISOR: Final = 1e-6


class Affine(NamedTuple):
    """x · scale + shift, channel by channel."""

    scale: Tensor  # float64 (C,)
    shift: Tensor  # float64 (C,)


def affine_of(norm: nn.BatchNorm2d) -> Affine:
    """Return what a batch normalisation does in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.double() - norm.running_mean.double() * scale
    return Affine(scale.detach(), shift.detach())


def weights_of(layer: nn.Conv2d | nn.Linear | nn.PReLU) -> Tensor:
    """Return a layer's weights as float64, apart from the layer."""
    return layer.weight.detach().double()


def convolution(
    weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution of these weights that keeps the size (but for the stride).

    Args:
        weight: (outputs, inputs / groups, k, k), k odd.
        bias: (outputs,).
        stride: of both axes.
        groups: as `torch.nn.Conv2d`.
    """
    outputs, inputs, kernel = weight.shape[:3]
    layer = nn.Conv2d(
        inputs * groups,
        outputs,
        kernel,
        stride,
        padding=kernel // 2,
        groups=groups,
        bias=bias is not None,
    )
    layer.weight.data = settled(weight)
    if bias is not None:
        assert layer.bias is not None
        layer.bias.data = settled(bias)
    return layer


def activation(slopes: Tensor) -> nn.PReLU:
    """Return a PReLU of these slopes, (C,)."""
    layer = nn.PReLU(len(slopes))
    layer.weight.data = settled(slopes)
    return layer


def settled(values: Tensor) -> Tensor:
    """Return weights as float32, with zero for what is too small to matter.

    Training with weight decay leaves weights down to 1e-45 behind. Products with them are
    denormal numbers, which a CPU handles a hundred times slower than zeros.
    """
    values = values.detach()
    return torch.where(values.abs() < _NEGLIGIBLE, 0.0, values).float().contiguous()


def no_smaller(divisors: Tensor) -> Tensor:
    """Return values pushed away from 0, to 1e-6 on their side of it: safe to divide by."""
    return torch.where(divisors < 0, -1.0, 1.0) * divisors.abs().clamp(min=_SMALLEST_DIVISOR)


def activation_after_scale(slopes: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Find the PReLU that takes scaled values.

    With P the PReLU of `slopes`, returns new slopes (of a PReLU Q) and `left` such that
    Q(scale · x) = left · P(x). Where the scale is negative, both halves of the PReLU change places.

    Args:
        slopes: (C,) of the original PReLU.
        scale: (C,), none of them 0.
    """
    turned = no_smaller(slopes)
    keeps_sign = scale > 0
    new_slopes = torch.where(keeps_sign, slopes, 1 / turned)
    left = torch.where(keeps_sign, scale, scale / turned)
    return new_slopes, left


def pad_kernel(weight: Tensor, kernel: int) -> Tensor:
    """Enlarge (outputs, inputs, k, k) kernels with zeros to `kernel`, about their centres."""
    margin = (kernel - weight.shape[-1]) // 2
    return nn.functional.pad(weight, [margin] * 4)


def ungrouped(weight: Tensor, groups: int) -> Tensor:
    """Write a grouped 1×1 convolution's weight as that of an ordinary one, zeros between groups.

    (outputs, inputs / groups, 1, 1) becomes (outputs, inputs, 1, 1).
    """
    outputs, inputs = len(weight) // groups, weight.shape[1]
    whole = weight.new_zeros(len(weight), inputs * groups, 1, 1)
    for group, block in enumerate(weight.chunk(groups)):
        rows, columns = group * outputs, group * inputs
        whole[rows : rows + outputs, columns : columns + inputs] = block
    return whole


def shuffled_order(channels: int, groups: int) -> Tensor:
    """Return which channel stands at each place after `shuffle_channels`."""
    return torch.arange(channels).view(groups, channels // groups).t().reshape(-1)


def upsampling_matrix(size: int, factor: int) -> Tensor:
    """Return bilinear enlargement along one axis as a matrix, float64 (factor · size, size).

    Corners are mapped on corners, as `align_corners=True`; `size` is at least 2.
    """
    enlarged = size * factor
    places = torch.arange(enlarged, dtype=torch.float64) * (size - 1) / (enlarged - 1)
    before = places.long().clamp(max=size - 2)
    fraction = places - before
    matrix = torch.zeros(enlarged, size, dtype=torch.float64)
    rows = torch.arange(enlarged)
    matrix[rows, before] = 1 - fraction
    matrix[rows, before + 1] = fraction
    return matrix


def scaled(weight: Tensor, scale: Tensor) -> Tensor:
    """Scale the outputs of a convolution."""
    return weight * scale.view(-1, 1, 1, 1)


def bias_of(layer: nn.Conv2d) -> Tensor:
    """Return the bias of a layer that has one, in float64."""
    assert layer.bias is not None
    return layer.bias.detach().double()
