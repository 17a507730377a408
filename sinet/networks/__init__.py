"""The networks: pure `torch.nn`, no files, no normalisation."""

from sinet.networks.sinet import SINet

__all__ = ["SINet"]
