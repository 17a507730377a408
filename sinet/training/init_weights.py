"""Weights that a run starts from instead of random ones."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from sinet.checkpoint import load_model
from sinet.errors import CheckpointError
from sinet.network_ref import NetworkRef, as_ref
from sinet.networks import SegmentationNetwork


class InitWeights(NamedTuple):
    """A checkpoint's tensors.

    Attributes:
        name: of its file, with the beginning of the SHA-256: recorded with what it becomes.
        tensors: by name, as the network has them.
    """

    name: str
    tensors: dict[str, Tensor]


def read_init_weights(
    checkpoint: NetworkRef | Path | str, network: SegmentationNetwork
) -> InitWeights:
    """Read a checkpoint for a network to start from.

    Args:
        checkpoint: as for `load_model`.
        network: it must hold one of this name and with these options.

    Raises:
        CheckpointError: missing, damaged, or of another network.
    """
    model = load_model(checkpoint)
    held = model.network
    if held.name != network.name:
        raise CheckpointError(f"{checkpoint}: holds `{held.name}`, not `{network.name}`.")
    if (held.options, held.classes) != (network.options, network.classes):
        raise CheckpointError(
            f"{checkpoint}: holds `{held.name}` with {_described(held)}, "
            f"not with {_described(network)}."
        )
    path = as_ref(checkpoint).weights()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return InitWeights(f"{path.name}@sha256:{digest}", model.network.state_dict())


def _described(network: SegmentationNetwork) -> str:
    options = (f"{name} {value}" for name, value in network.options.items())
    return ", ".join((f"{network.classes} classes", *options))
