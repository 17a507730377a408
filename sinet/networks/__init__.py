"""The networks: pure `torch.nn`, no files, no normalisation."""

from collections.abc import Mapping
from typing import Final

import torch

from sinet.errors import NetworkError
from sinet.networks.base import SegmentationNetwork
from sinet.networks.bisenet import BiSeNet
from sinet.networks.cgnet import CGNet
from sinet.networks.deeplab import DeepLab
from sinet.networks.deeplab_plus import DeepLabPlus
from sinet.networks.enet import ENet
from sinet.networks.espnetv2 import ESPNetV2
from sinet.networks.extremec3net import ExtremeC3Net
from sinet.networks.liteseg import LiteSeg
from sinet.networks.mobilenet_lraspp import MobileNetV3
from sinet.networks.options import Option
from sinet.networks.portraitnet import PortraitNet
from sinet.networks.sanet import SANet
from sinet.networks.sinet import SINet
from sinet.networks.two_branches import ContextNet, FastSCNN
from sinet.suggestion import suggestion

NETWORKS: Final[dict[str, type[SegmentationNetwork]]] = {
    network.name: network
    for network in (
        SINet,
        ExtremeC3Net,
        CGNet,
        PortraitNet,
        LiteSeg,
        DeepLab,
        SANet,
        DeepLabPlus,
        ESPNetV2,
        BiSeNet,
        ENet,
        MobileNetV3,
        ContextNet,
        FastSCNN,
    )
}
"""By the name a checkpoint carries."""


def network_class(name: str) -> type[SegmentationNetwork]:
    """Return the class of a network.

    Raises:
        NetworkError: there is none of that name; the message suggests the nearest.
    """
    if name not in NETWORKS:
        hint = suggestion(name, NETWORKS)
        raise NetworkError(f"no network `{name}`{hint or ';'} Known are {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def build_network(
    name: str, classes: int = 2, options: Mapping[str, Option] | None = None
) -> SegmentationNetwork:
    """Return a network with random weights, drawn from PyTorch's global generator.

    Args:
        name: one of `NETWORKS`.
        classes: number of output channels.
        options: of the network's `known_options`; the others have their defaults.

    Raises:
        NetworkError: no such network, option or value, or a package that it needs is missing.
    """
    return network_class(name)(classes, options)


def outline_network(
    name: str, classes: int = 2, options: Mapping[str, Option] | None = None
) -> SegmentationNetwork:
    """Return a network without weights (on the `meta` device): quick, draws no random number.

    Raises:
        NetworkError: as `build_network`.
    """
    with torch.device("meta"):
        return build_network(name, classes, options)


__all__ = [
    "NETWORKS",
    "BiSeNet",
    "CGNet",
    "ContextNet",
    "DeepLab",
    "DeepLabPlus",
    "ENet",
    "ESPNetV2",
    "ExtremeC3Net",
    "FastSCNN",
    "LiteSeg",
    "MobileNetV3",
    "PortraitNet",
    "SANet",
    "SINet",
    "SegmentationNetwork",
    "build_network",
    "network_class",
    "outline_network",
]
