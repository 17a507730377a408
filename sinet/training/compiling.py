"""When `torch.compile` is worth it, and whether it can work here."""

import os
import shutil
from typing import Final

import torch

from sinet.training.config import TrainingConfig

# Images, as often as they are shown: compiling takes a minute or more, which a short training does
# not win back.
_WORTH_IT: Final = 8_000


def settled(config: TrainingConfig, images: int, device: str) -> TrainingConfig:
    """The configuration, compiled only where that can work and pays.

    Args:
        config: as asked for.
        images: to learn from.
        device: `auto`, `cpu` or `cuda`.
    """
    compiles = worth_compiling(config, images) and has_compiler(device)
    return config if compiles == config.compile else config.model_copy(update={"compile": compiles})


def worth_compiling(config: TrainingConfig, images: int) -> bool:
    """Whether a run is asked to be compiled, and long enough to win back the time that takes.

    Args:
        config: of the run.
        images: to learn from.
    """
    seen = images * config.encoder_epochs
    seen += images * config.epochs if config.steps is None else config.steps * config.batch
    return config.compile and seen >= _WORTH_IT


def has_compiler(device: str) -> bool:
    """Whether `torch.compile` finds what it needs; on a GPU that comes with PyTorch.

    Args:
        device: `auto`, `cpu` or `cuda`.
    """
    if device != "cpu" and torch.cuda.is_available():
        return True
    return any(map(shutil.which, filter(None, (os.environ.get("CXX"), "g++", "clang++"))))
