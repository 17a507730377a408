"""A network as a web page wants it: pixels in, the person's probability out, no arithmetic beside.

What ONNX Runtime is quick at in a browser differs from what it is quick at elsewhere: its
WebAssembly has a kernel of its own for depthwise 3×3 convolutions and grouped convolutions that
cost half of ordinary ones, but slow matrix products. So a SINet is exported as it is, not as a
`FoldedSINet`; its normalisations are merged into convolutions by ONNX Runtime when it loads.
"""

from typing import Final

import torch
from torch import Tensor, nn

from sinet.checkpoint import Model
from sinet.convert.description import Description
from sinet.normalisation import InputSpec

_PIXELS: Final = {"channel_order": "rgb", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class WebNetwork(nn.Module):
    """A network with its normalisation in front and a probability at the end.

    Args:
        model: of one or two classes; left as it is.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        spec = model.input
        self.network = model.network
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


def for_web(model: Model) -> tuple[WebNetwork, Description]:
    """Return what is exported of a model for `onnx-web`, and its description."""
    spec = InputSpec.model_validate({**model.input.model_dump(), **_PIXELS})
    description = Description(
        network=model.network.name, input=spec, activation="none", person_index=0
    )
    return WebNetwork(model).eval(), description
