"""The network behind clicks: a small U-Net (arXiv 1505.04597) that reads a mask and clicks, too.

    picture 3, guess 1, mask 1, clicks 2 ─▶ 1/2 ─▶ 1/4 ─▶ 1/8 ─▶ 1/16 ─▶ 1/32
                                             │      │      │       │       │
                                 logits ◀─ ×2 ◀──── + ◀─── + ◀──── + ◀─────┘

As RITM (arXiv 2102.06583) the mask before a click is part of the input, so that clicks mend what is
there. The guess is what SINet says of the picture: that spares this network from learning what a
person is, and 0.8 M parameters suffice.
"""

from typing import Final

import torch
from torch import Tensor, nn

from sinet.networks.layers import rectified, resize

INPUTS: Final = 7
"""Red, green, blue, guess, mask, positive and negative clicks."""

SIDE_MULTIPLE: Final = 32

_CHANNELS: Final = (16, 32, 64, 96, 128)
"""At 1/2, 1/4, … of the size."""


class ClickNetwork(nn.Module):
    """Logits of the person from a picture, a guess, a mask and clicks; 790,881 parameters."""

    def __init__(self) -> None:
        super().__init__()
        down, up, inputs = [], [], INPUTS
        for width in _CHANNELS:
            down.append(
                nn.Sequential(rectified(inputs, width, 3, stride=2), rectified(width, width, 3))
            )
            inputs = width
        for width in reversed(_CHANNELS[:-1]):
            up.append(rectified(inputs + width, width, 3))
            inputs = width
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.classifier = nn.Conv2d(inputs, 1, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map float (N, 7, H, W) to logits (N, 1, H, W).

        Args:
            pixels: colours in [-1, 1], the others in [0, 1]; sides multiples of 32.
        """
        seen = []
        features = pixels
        for step in self.down:
            features = step(features)
            seen.append(features)
        for step, finer in zip(self.up, reversed(seen[:-1]), strict=True):
            features = step(torch.cat((resize(features, like=finer), finer), dim=1))
        return resize(self.classifier(features), like=pixels)
