"""What learns: networks, losses, data, training, evaluation, conversion.

Works alone on a folder of images and masks; nothing else of this project is imported.
"""

from sinet.checkpoint import Model, load_checkpoint, load_model, save_checkpoint
from sinet.errors import SINetError
from sinet.networks import SINet
from sinet.normalisation import InputSpec
from sinet.official import OFFICIAL_INPUT, load_official

__all__ = [
    "OFFICIAL_INPUT",
    "InputSpec",
    "Model",
    "SINet",
    "SINetError",
    "load_checkpoint",
    "load_model",
    "load_official",
    "save_checkpoint",
]
