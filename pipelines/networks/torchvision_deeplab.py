"""The three DeepLabv3 networks of torchvision with their COCO weights as teachers."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.networks.base import Image, Probability
from pipelines.networks.downloading import downloaded
from pipelines.workspace.errors import ModelError
from pipelines.workspace.files import sha256_prefix
from sinet.predict import resize_probability
from sinet.probability import softmax_channel
from sinet.resample import shrink

# torchvision's SemanticSegmentation preset: shorter side 520, ImageNet statistics, RGB in [0, 1].
_SHORT_SIDE_PX = 520
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_CLASSES, _PERSON = 21, 15


class TorchvisionTeacher:
    """DeepLabv3 (Chen et al. 2017) as torchvision ships it."""

    def __init__(self, network: str, weights: Path | None, device: str) -> None:
        """Build the network and load its weights.

        Args:
            network: one of `names.TORCHVISION`.
            weights: a state dict on disk; None takes torchvision's own, downloaded once.
            device: a torch device.

        Raises:
            ModelError: the weights cannot be downloaded, read, or belong to another network.
        """
        import torch

        self._torch = torch
        self._device = device
        self._model = _build(network, weights).eval().to(device)
        if device == "cpu":
            self._model = self._model.to(memory_format=torch.channels_last)
        source = (
            f"{weights.name}@sha256:{sha256_prefix(weights)}"
            if weights
            else "COCO_WITH_VOC_LABELS_V1"
        )
        self.name = f"torchvision:{network}:{source}"

    @property
    def parameters(self) -> int:
        """Number of weights, without those that serve training only."""
        counted = (
            value.numel()
            for name, value in self._model.named_parameters()
            if not name.startswith("aux_classifier.")
        )
        return sum(counted)

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`. On a GPU, images of equal working size run together."""
        torch = self._torch
        inputs = [_working_copy(image) for image in batch]
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, pixels in enumerate(inputs):
            groups[pixels.shape if self._device != "cpu" else (index,)].append(index)
        found: dict[int, Probability] = {}
        for members in groups.values():
            stacked = np.stack([inputs[index] for index in members]).transpose(0, 3, 1, 2)
            with torch.inference_mode():
                tensor = torch.from_numpy(np.ascontiguousarray(stacked)).to(self._device)
                if self._device == "cpu":
                    tensor = tensor.contiguous(memory_format=torch.channels_last)
                logits = self._model(tensor)["out"].float().cpu().numpy()
            for index, output in zip(members, logits, strict=True):
                found[index] = resize_probability(
                    softmax_channel(output, _PERSON), batch[index].shape[:2]
                )
        return [found[index] for index in range(len(batch))]


def _working_copy(image: Image) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    scale = _SHORT_SIDE_PX / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pixels = shrink(image, *size).astype(np.float32) / np.float32(255)
    return np.asarray((pixels - _MEAN) / _STD, np.float32)


def _build(network: str, weights: Path | None) -> Any:
    from torchvision.models import get_model

    model = get_model(
        network, weights=None, weights_backbone=None, num_classes=_CLASSES, aux_loss=True
    )
    state = _read_state(weights or downloaded(network))
    try:
        # The auxiliary head serves training only; a file without it is as good.
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ModelError(f"{weights}: not the weights of {network} (shapes differ)") from error
    missing = [key for key in missing if not key.startswith("aux_classifier.")]
    if missing or unexpected:
        raise ModelError(
            f"{weights}: not the weights of {network} "
            f"({len(missing)} entries are missing, {len(unexpected)} are foreign)"
        )
    return model


def _read_state(weights: Path) -> dict[str, Any]:
    import torch

    if not weights.is_file():
        raise ModelError(f"{weights}: no such file; --teacher-weights wants a state dict")
    try:
        if weights.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(weights))
        state = dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # pickle, zip and safetensors each have errors of their own
        raise ModelError(
            f"{weights}: not a readable file of weights ({type(error).__name__})"
        ) from error
    if not all(isinstance(key, str) for key in state):
        raise ModelError(f"{weights}: not the weights of a network (entries have no names)")
    return state
