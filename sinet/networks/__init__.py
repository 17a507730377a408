"""The networks: pure `torch.nn`, no files, no normalisation."""

from typing import Final

from sinet.networks.base import SegmentationNetwork
from sinet.networks.deeplab import DeepLab
from sinet.networks.sinet import SINet

NETWORKS: Final[dict[str, type[SegmentationNetwork]]] = {
    SINet.name: SINet,
    DeepLab.name: DeepLab,
}
"""By the name a checkpoint carries."""


def build_network(name: str, classes: int = 2) -> SegmentationNetwork:
    """Return a network with random weights, drawn from PyTorch's global generator.

    Raises:
        KeyError: there is no network of that name.
    """
    return NETWORKS[name](classes)


__all__ = ["NETWORKS", "DeepLab", "SINet", "SegmentationNetwork", "build_network"]
