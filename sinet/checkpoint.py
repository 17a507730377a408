"""Weights on disk: safetensors, with all that is needed to use them in the file's metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sinet.errors import CheckpointError, NetworkError
from sinet.json_text import from_json, to_json
from sinet.network_ref import TRAINABLE, NetworkRef, as_ref
from sinet.networks import NETWORKS, SegmentationNetwork, build_network
from sinet.normalisation import InputSpec
from sinet.official import OFFICIAL_INPUT, load_official
from sinet.probability import checked

FORMAT: Final = "sinet-checkpoint-1"
_KEY: Final = "sinet"


@dataclass(frozen=True, slots=True)
class Model:
    """A network with what its input must be.

    Attributes:
        network: in evaluation mode, on the CPU.
        input: how pixels become its input.
        training: what is known of its training: plain JSON values.
    """

    network: SegmentationNetwork
    input: InputSpec
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(value.numel() for value in self.network.parameters())

    def person_at_input(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map uint8 (H, W, 3) RGB to the person's probability at the input's size, 0..1.

        Raises:
            NetworkOutputError: the answer has NaN or infinite values.
        """
        return self.people_at_input([image])[0]

    def people_at_input(
        self, images: Sequence[npt.NDArray[np.uint8]]
    ) -> list[npt.NDArray[np.float32]]:
        """`person_at_input` of several pictures, in one pass."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            batch = torch.cat([self.input.prepare(image) for image in images])
            logits = self.network(batch.to(device)).float()
            people = logits.softmax(1)[:, 1] if logits.shape[1] > 1 else logits[:, 0].sigmoid()
        return list(checked(np.asarray(people.cpu().numpy(), np.float32)))

    def attention_at_input(
        self, image: npt.NDArray[np.uint8]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Map uint8 (H, W, 3) RGB to what the network attends to, by name, as large as its input.

        Each (height, width), 0..1; the names are the network's `attention_names`.
        """
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            maps = self.network.attention_maps(self.input.prepare(image).to(device))
        return {name: np.asarray(each[0].cpu().numpy(), np.float32) for name, each in maps.items()}


def save_checkpoint(path: Path | str, model: Model, *, half: bool = False) -> None:
    """Write weights and metadata to a file, whole or not at all.

    Args:
        path: of the file, customarily `.safetensors`.
        model: to write.
        half: store float16; they are float32 again when loaded.
    """
    description = {
        "format": FORMAT,
        "network": model.network.name,
        "classes": model.network.classes,
        "options": model.network.options,
        "input": model.input.model_dump(mode="json"),
        "training": model.training,
    }
    write_tensors(Path(path), model.network.state_dict(), description, half=half)


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any], *, half: bool
) -> None:
    """Write tensors with what describes them to a file, whole or not at all.

    Args:
        path: of the file.
        tensors: of a network's state.
        description: plain JSON values; `format` says how to read them.
        half: store float16.
    """
    stored = {
        name: _stored(value, half=half)
        for name, value in tensors.items()
        if not name.endswith("num_batches_tracked")
    }
    partial = path.with_name(f".{path.name}.partial")
    save_file(stored, partial, metadata={_KEY: to_json(description)})
    partial.replace(path)


def load_model(network: NetworkRef | Path | str) -> Model:
    """Read a portrait network: a checkpoint of ours, or, of suffix `.pth`, the SINet authors'.

    Args:
        network: a file or a name: `sinet:bundled`, `bundled`, `sinet:FILE`; a reference's
            resolution takes the place of the file's input size.

    Raises:
        NetworkError: no such name, or one of an exported network.
        CheckpointError: as `load_checkpoint` and `load_official`; or it has more than two classes.
    """
    ref = as_ref(network)
    ref.must_be(TRAINABLE, "PyTorch")
    path = ref.weights()
    if path.suffix.lower() == ".pth":
        official = {"source": "the authors' checkpoint"}
        model = Model(load_official(path), OFFICIAL_INPUT, official)
    else:
        model = load_checkpoint(path)
    if (classes := model.network.classes) > 2:
        raise CheckpointError(
            f"{path}: has {classes} classes, and nothing says which of them is the person: a "
            "portrait network has 1 or 2. `evaluate --classes` scores it."
        )
    if ref.resolution is None:
        return model
    size = {"height": ref.resolution, "width": ref.resolution}
    return replace(model, input=model.input.model_copy(update=size))


def load_checkpoint(
    path: Path | str, *, network: str | None = None, classes: int | None = None
) -> Model:
    """Read a checkpoint.

    Args:
        path: of the file.
        network: its network must be this one; None: any.
        classes: its network must have as many classes; None: any number.

    Raises:
        CheckpointError: missing, cut off, not one of ours, of another network or class count.
    """
    path = Path(path)
    description, tensors = read_tensors(path, FORMAT)
    try:
        name, count = str(description["network"]), int(description["classes"])
        spec = InputSpec.model_validate(description["input"])
        training = dict(description.get("training") or {})
        options = dict(description.get("options") or {})  # not in the files of older versions
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise CheckpointError(f"{path}: its metadata is damaged ({_line(error)}).") from error
    if name not in NETWORKS:
        raise CheckpointError(f"{path}: holds `{name}`; known networks: {', '.join(NETWORKS)}.")
    if network is not None and name != network:
        raise CheckpointError(f"{path}: holds the network `{name}`, not `{network}`.")
    if classes is not None and count != classes:
        raise CheckpointError(f"{path}: has {count} classes, not {classes}.")
    try:
        built = build_network(name, count, options)
    except NetworkError as error:
        raise CheckpointError(f"{path}: cannot be used: {error}") from error
    fill(built, tensors, path)
    return Model(built.eval(), spec, training)


def read_tensors(path: Path, form: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `write_tensors` wrote.

    Args:
        path: of the file.
        form: `format` of its description.

    Raises:
        CheckpointError: missing, cut off, not one of ours, or of another format.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: cut off, damaged, or no safetensors file ({_line(error)})."
        ) from error
    try:
        description = from_json(metadata[_KEY])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: a safetensors file, but no checkpoint of ours.") from error
    if not isinstance(description, dict) or description.get("format") != form:
        raise CheckpointError(f"{path}: written in a format this version does not know.")
    return description, tensors


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Give a network its weights, as float32.

    Raises:
        CheckpointError: they are another network's.
    """
    own = network.state_dict()
    wanted = {name for name in own if not name.endswith("num_batches_tracked")}
    if tensors.keys() != wanted:
        odd = min(tensors.keys() ^ wanted)
        raise CheckpointError(f"{path}: does not fit its network: `{odd}` is on one side only.")
    for name, value in tensors.items():
        if value.shape != own[name].shape:
            raise CheckpointError(
                f"{path}: `{name}` has shape {tuple(value.shape)}, not {tuple(own[name].shape)}."
            )
    network.load_state_dict({**own, **{name: value.float() for name, value in tensors.items()}})


def _stored(value: Tensor, *, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.to(torch.float16) if half and value.is_floating_point() else value


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
