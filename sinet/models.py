"""Any file with weights: ours, the authors', or an exported network; and what it costs to run."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sinet.checkpoint import Model, load_model
from sinet.errors import NetworkError
from sinet.network_ref import NetworkKind, NetworkRef, as_ref
from sinet.networks import NETWORKS, SegmentationNetwork, outline_network
from sinet.networks.options import Option
from sinet.onnx.model import OnnxModel
from sinet.predict import PersonModel


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


def load_person_model(network: NetworkRef | Path | str) -> Model | OnnxModel:
    """Read a checkpoint of ours, the SINet authors' (`.pth`), or a network in ONNX.

    Args:
        network: a file or a name: `sinet:bundled`, `bundled`, `sinet:FILE`, `onnx:FILE`.

    Raises:
        NetworkError: no such name.
        CheckpointError: missing, cut off, or another network; the message says which.
    """
    ref = as_ref(network)
    if ref.kind is NetworkKind.ONNX:
        return OnnxModel(ref.weights(), resolution=ref.resolution)
    return load_model(ref)


def cost(model: PersonModel) -> Cost:
    """Count a model's weights and, for networks of this package, its multiply-accumulates."""
    if isinstance(model, Model):
        return _network_cost(model.network, model.input.height, model.input.width)
    return Cost(model.parameters, None)


@dataclass(frozen=True, slots=True)
class ListedNetwork:
    """A network that can be trained.

    Attributes:
        name: for `train --model`.
        backbone: for `train --backbone`; None if there is no choice.
        parameters: number of weights, two classes.
        macs: multiply-accumulates for one image; None, like `parameters`, where a
            package that the network needs is not installed.
        source: the paper.
        licence: of the authors' code and of pretrained weights.
    """

    name: str
    backbone: str | None
    parameters: int | None
    macs: int | None
    source: str
    licence: str


def list_networks(side: int = 224, names: Collection[str] = ()) -> list[ListedNetwork]:
    """Return networks with each of their backbones, counted without any weights in memory.

    Args:
        side: of the square image that MACs are counted for.
        names: of the networks; none: all.
    """
    listed = []
    for name, kind in NETWORKS.items():
        if names and name not in names:
            continue
        for backbone in kind.known_options.get("backbone", (None,)):
            parameters = macs = None
            with contextlib.suppress(NetworkError):  # an optional package is missing
                options = {} if backbone is None else {"backbone": backbone}
                found = outlined_cost(name, options, side)
                parameters, macs = found.parameters, found.macs
            shown = None if backbone is None else str(backbone)
            listed.append(ListedNetwork(name, shown, parameters, macs, kind.source, kind.licence))
    return listed


def outlined_cost(name: str, options: Mapping[str, Option], side: int) -> Cost:
    """Count a network of two classes without any weights in memory.

    Raises:
        NetworkError: no such network, option or value, or a package that it needs is missing.
    """
    return _network_cost(outline_network(name, 2, options).eval(), side, side)


def _network_cost(network: SegmentationNetwork, height: int, width: int) -> Cost:
    from torch.utils.flop_counter import FlopCounterMode

    image = torch.zeros(1, 3, height, width, device=next(network.parameters()).device)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(image)
    parameters = sum(value.numel() for value in network.parameters())
    return Cost(parameters, counter.get_total_flops() // 2)
