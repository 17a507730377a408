"""Any file with weights: ours, the authors', or an exported network; and what it costs to run."""

from dataclasses import dataclass
from pathlib import Path

import torch

from sinet.checkpoint import Model, load_model
from sinet.onnx_model import OnnxModel


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model costs.

    Attributes:
        parameters: number of weights.
        macs: multiply-accumulates of convolutions and matrix products for one image at its input
            size; None where they are not known.
    """

    parameters: int
    macs: int | None


def load_person_model(path: Path | str) -> Model | OnnxModel:
    """Read a checkpoint of ours, or, by suffix, the authors' (`.pth`) or a network in ONNX.

    Bundled weights go by name: `sinet:bundled`, `bundled`.

    Raises:
        CheckpointError: missing, cut off, or another network; the message says which.
    """
    return OnnxModel(path) if Path(path).suffix.lower() == ".onnx" else load_model(path)


def cost(model: Model | OnnxModel) -> Cost:
    """Count a model's weights and, for PyTorch networks, its multiply-accumulates."""
    if isinstance(model, OnnxModel):
        return Cost(model.parameters, None)
    from torch.utils.flop_counter import FlopCounterMode

    image = torch.zeros(1, 3, model.input.height, model.input.width)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.network(image)
    parameters = sum(value.numel() for value in model.network.parameters())
    return Cost(parameters, counter.get_total_flops() // 2)
