"""SINet as few large operations: the same function, for inference at one size.

What is merged, against `sinet.networks`:

* every batch normalisation, into the convolution before it; also across an upsampling;
* the channel shuffle, into the grouped 1×1 convolution before it, which becomes an ordinary one;
* two S2 blocks that do not pool, into one: the 1×1 convolution before them writes its channels
  twice, one depthwise convolution serves both and one 1×1 convolution ends both, so that nothing is
  joined afterwards;
* the scale of the residual sum: every tensor between S2 modules is kept in units of its own, so
  that the sum needs no scaling (`Folded.units`);
* the decoder's last two upsamplings and its 3×3 convolution, into two matrix products;
* the two logits, into their difference: all that a mask or a probability depends on.
"""

import torch
from torch import Tensor, nn

from sinet.convert.algebra import (
    activation,
    affine_of,
    convolution,
    scaled,
    settled,
    weights_of,
)
from sinet.convert.decoder import FoldedDecoder
from sinet.convert.spatial_squeeze import fold_modules
from sinet.networks.layers import ChannelGate, GatedDownsampling, NormalisedActivation
from sinet.networks.sinet import SIDE_MULTIPLE, SINet


class FoldedSINet(nn.Module):
    """A SINet of two classes for images of one size; maps them to one logit a pixel.

    Args:
        network: to take the weights from; left as it is.
        height: of the images, a multiple of 32.
        width: likewise.

    Raises:
        ValueError: another number of classes, another option than the defaults, or sides that are
            no multiples of 32.
    """

    def __init__(self, network: SINet, height: int, width: int) -> None:
        super().__init__()
        if network.classes != 2:
            raise ValueError(f"the network has {network.classes} classes; 2 can be folded.")
        if not network.is_published:
            raise ValueError("only the published SINet can be folded, with no option changed.")
        if height % SIDE_MULTIPLE or width % SIDE_MULTIPLE:
            raise ValueError(f"{height} × {width}: sides must be multiples of {SIDE_MULTIPLE}.")
        encoder = network.encoder
        to_quarter, to_eighth = encoder.to_quarter, encoder.to_eighth
        assert isinstance(to_quarter, GatedDownsampling)
        assert isinstance(to_eighth, GatedDownsampling)
        stem = affine_of(encoder.stem.post.norm)
        self.stem = convolution(
            scaled(weights_of(encoder.stem.convolution), stem.scale), stem.shift, stride=2
        )
        self.stem_activation = activation(encoder.stem.post.activation.weight)
        self.to_quarter = _FoldedDownsampling(to_quarter)
        quarter = fold_modules(encoder.quarter, to_quarter.pointwise.out_channels)
        self.quarter = quarter.modules
        self.join_quarter = _FoldedJoin(encoder.join_quarter, quarter.units)
        self.to_eighth = _FoldedDownsampling(to_eighth)
        eighth = fold_modules(encoder.eighth, to_eighth.pointwise.out_channels)
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


class _FoldedDownsampling(nn.Module):
    """Halving of the size with a channel gate, its normalisation in the 1×1 convolution."""

    def __init__(self, original: GatedDownsampling) -> None:
        super().__init__()
        self.depthwise = convolution(
            weights_of(original.depthwise), stride=2, groups=original.depthwise.groups
        )
        assert isinstance(original.gate, ChannelGate)
        self.gate = _FoldedGate(original.gate)
        norm = affine_of(original.post.norm)
        self.pointwise = convolution(scaled(weights_of(original.pointwise), norm.scale), norm.shift)
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
