"""What the encoder alone says, while it is all that learns."""

from typing import ClassVar

from torch import Tensor

from sinet.networks import SegmentationNetwork
from sinet.networks.layers import resize


class EncoderHead(SegmentationNetwork):
    """The coarse answer of a network's encoder as a network, to be scored like any other.

    Args:
        network: with an encoder head, whose weights are shared.
    """

    name: ClassVar[str] = "encoder head"

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__(network.classes)
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), sides multiples of 32, to logits (N, classes, H, W)."""
        (coarse,) = self.network.training_logits(images, encoder_only=True)
        return resize(coarse, like=images)
