"""Weights that a run starts from instead of random ones."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from sinet.bundled import weights_file
from sinet.checkpoint import load_model
from sinet.errors import CheckpointError


class InitialWeights(NamedTuple):
    """A checkpoint's tensors.

    Attributes:
        name: of its file, with the beginning of the SHA-256: recorded with what it becomes.
        tensors: by name, as the network has them.
    """

    name: str
    tensors: dict[str, Tensor]


def read_initial(checkpoint: Path | str, network: str) -> InitialWeights:
    """Read a checkpoint for a network to start from.

    Args:
        checkpoint: as for `load_model`.
        network: name of the network it must hold.

    Raises:
        CheckpointError: missing, damaged, or of another network.
    """
    model = load_model(checkpoint)
    if model.network.name != network:
        raise CheckpointError(f"{checkpoint}: holds `{model.network.name}`, not `{network}`.")
    path = weights_file(checkpoint)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return InitialWeights(f"{path.name}@sha256:{digest}", model.network.state_dict())
