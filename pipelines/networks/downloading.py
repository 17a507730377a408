"""Weights of others, downloaded once: by whoever plans a run, before its workers want them."""

import os
import urllib.error
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from pipelines.networks import mediapipe_selfie
from pipelines.networks.names import AUTO, MEDIAPIPE
from pipelines.workspace.errors import ModelError
from sinet.gpus import gpu_count
from sinet.network_ref import NetworkRef

_SITE: Final = "https://download.pytorch.org/models/"
FILES: Final = {
    "deeplabv3_resnet50": ("deeplabv3_resnet50_coco-cd0a2569.pth", 161),
    "deeplabv3_resnet101": ("deeplabv3_resnet101_coco-586e9e4e.pth", 233),
    "deeplabv3_mobilenet_v3_large": ("deeplabv3_mobilenet_v3_large-fc3c493d.pth", 42),
}
"""Name of a network's file, which ends in the beginning of its SHA-256, and its size in MB. Written
down here since torchvision, which knows them, takes seconds to import."""


def named_by_auto(device: str) -> str:
    """The best of torchvision's that a device can bear.

    Args:
        device: `auto`, `cpu` or `cuda`.
    """
    has_gpu = device != "cpu" and gpu_count() > 0
    return "deeplabv3_resnet101" if has_gpu else "deeplabv3_mobilenet_v3_large"


def download_missing(
    networks: Iterable[NetworkRef], device: str, say: Callable[[str], None]
) -> None:
    """Download the weights of those networks that are torchvision's or MediaPipe's, not here yet.

    Args:
        networks: of any kind.
        device: as in `named_by_auto`.
        say: told of every download before it begins.

    Raises:
        ModelError: as `downloaded` and `mediapipe_selfie.fetched`.
    """
    for network in networks:
        if network.name == MEDIAPIPE and not mediapipe_selfie.kept_file().is_file():
            package, size = mediapipe_selfie.PACKAGE, mediapipe_selfie.MEGABYTES
            say(f"fetching MediaPipe's network out of {package} ({size} MB), once")
            mediapipe_selfie.fetched()
        name = named_by_auto(device) if network.name == AUTO else network.name
        if name in FILES and not _file(name).exists():
            say(f"downloading the weights of {name} ({FILES[name][1]} MB), once")
            downloaded(name)


def downloaded(name: str) -> Path:
    """The file with a network's weights, fetched if it is not here.

    Args:
        name: one of `FILES`.

    Raises:
        ModelError: it cannot be fetched; the message says what to do without internet.
    """
    file, url = _file(name), _SITE + FILES[name][0]
    if file.exists():
        return file
    import torch

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        start_of_hash = file.stem.rpartition("-")[2]
        torch.hub.download_url_to_file(url, str(file), start_of_hash, progress=False)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise ModelError(
            f"the weights of {name} could not be downloaded ({error}); use --teacher bundled, "
            f"which needs no internet, or --teacher onnx:FILE, or fetch {url} elsewhere and give "
            "it with --teacher-weights FILE"
        ) from error
    return file


def _file(name: str) -> Path:
    """Where PyTorch keeps it, too."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(os.environ.get("TORCH_HOME") or cache / "torch")
    return home.expanduser() / "hub/checkpoints" / FILES[name][0]
