"""What learns: networks, losses, data, training, evaluation, conversion."""

from sinet.networks import SINet
from sinet.official import OFFICIAL_INPUT, load_official

__all__ = ["OFFICIAL_INPUT", "SINet", "load_official"]
