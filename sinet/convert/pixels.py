"""A network for those who have pixels and want a probability: nothing is left to do beside it.

So are files for web pages and telephones, whose programs are written in other languages.
"""

from typing import Final

import torch
from torch import Tensor, nn

from sinet.convert.description import Description
from sinet.normalisation import InputSpec

_PIXELS: Final = {"channel_order": "rgb", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class PixelNetwork(nn.Module):
    """A network with its normalisation in front and a probability at the end.

    Args:
        network: of one or two output channels, which take a sigmoid or a softmax.
        spec: how pixels become its input.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, network: nn.Module, spec: InputSpec) -> None:
        super().__init__()
        self.network = network
        self.bgr = spec.channel_order == "bgr"
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer("factor", 1 / torch.tensor(spec.std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Map float32 RGB (1, 3, H, W), 0..255, to the person's probability (1, 1, H, W), 0..1."""
        if self.bgr:
            pixels = torch.cat((pixels[:, 2:], pixels[:, 1:2], pixels[:, :1]), dim=1)
        logits: Tensor = self.network((pixels - self.mean) * self.factor)
        if logits.shape[1] == 2:
            logits = logits[:, 1:] - logits[:, :1]
        return torch.sigmoid(logits)


def with_pixels(network: nn.Module, inner: Description) -> tuple[PixelNetwork, Description]:
    """Return a network for pixels and its description, made of one that was to be exported."""
    spec = InputSpec.model_validate({**inner.input.model_dump(), **_PIXELS})
    description = Description(network=inner.network, input=spec, activation="none", person_index=0)
    return PixelNetwork(network, inner.input).eval(), description
