"""What learns: networks, losses, data, training, evaluation, conversion.

Works alone on a folder of images and masks; nothing else of this project is imported. What stands
here is loaded when it is first used, so that what runs without PyTorch does not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "OFFICIAL_INPUT": "official",
    "InputSpec": "normalisation",
    "Model": "checkpoint",
    "SINet": "networks",
    "SINetError": "errors",
    "load_checkpoint": "checkpoint",
    "load_model": "checkpoint",
    "load_official": "official",
    "save_checkpoint": "checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
