"""An exported network as a model: any ONNX file whose output has a channel for the person."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sinet.errors import CheckpointError
from sinet.normalisation import InputSpec

_DEFAULT_SIDE_PX: Final = 513
# Channel of the person by the number of channels; 21 are those of Pascal VOC.
_PERSON: Final = {1: 0, 2: 1, 21: 15}

_Logits = npt.NDArray[np.float32]


class _Metadata(BaseModel):
    """What a file may say of itself in its metadata; values are JSON or plain words."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # TensorFlow's DeepLab is fed in [-1, 1]; so are files that say nothing.
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)
    channel_order: Literal["rgb", "bgr"] = "rgb"
    resize: Literal["bilinear", "area"] = "area"
    input_height: int = Field(default=_DEFAULT_SIDE_PX, ge=32)
    input_width: int = Field(default=_DEFAULT_SIDE_PX, ge=32)
    layout: Literal["nchw", "nhwc"] | None = None
    person_index: int | None = Field(default=None, ge=0)
    activation: Literal["softmax", "sigmoid", "none"] | None = None


class OnnxModel:
    """A network in ONNX Runtime, on the CPU; satisfies `PersonModel`.

    Size and layout of the input are read from the graph; normalisation, channel order, the person's
    channel and the activation from the metadata (`mean`, `std`, `channel_order`, `person_index`,
    `activation`, `resize`; for graphs of free size `input_height`, `input_width`). Without them,
    pixels are RGB in [-1, 1] and the person is channel 0 of 1, 1 of 2, or 15 of 21.
    """

    def __init__(self, path: Path | str) -> None:
        """Load the network and run it once.

        Args:
            path: the .onnx file.

        Raises:
            CheckpointError: missing, cut off, no network, or one that is not understood.
        """
        self.path = Path(path)
        self._session = _session(self.path)
        said = _metadata(self._session, self.path)
        given = self._session.get_inputs()[0]
        if len(given.shape) != 4 or given.type != "tensor(float)":
            raise CheckpointError(
                f"{path}: its input is {given.type} {given.shape}, not a batch of float32 images."
            )
        last = given.shape[3] == 3 and given.shape[1] != 3
        self._channels_last = said.layout == "nhwc" or (said.layout is None and last)
        height, width = given.shape[1:3] if self._channels_last else given.shape[2:4]
        try:
            self._input = InputSpec(
                channel_order=said.channel_order,
                mean=said.mean,
                std=said.std,
                height=height if isinstance(height, int) else said.input_height,
                width=width if isinstance(width, int) else said.input_width,
                resize=said.resize,
            )
        except ValidationError as error:
            raise CheckpointError(f"{path}: {_first(error)}.") from error
        output = self._logits(_probe(self._input))
        self._person = _person_index(len(output), said.person_index, self.path)
        self._activation = said.activation or _activation(output)

    @property
    def input(self) -> InputSpec:
        """How pixels become the network's input."""
        return self._input

    @property
    def parameters(self) -> int:
        """Number of float weights in the file; what was folded into others is not counted."""
        import onnx

        graph = onnx.load(str(self.path), load_external_data=False).graph
        floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE}
        quantised = {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
        return sum(
            int(np.prod(tensor.dims))
            for tensor in graph.initializer
            if tensor.data_type in floats | quantised
        )

    def person_at_input(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map uint8 (H, W, 3) RGB to the person's probability at the output's size, 0..1."""
        logits = self._logits(image)
        person = logits[self._person]
        match self._activation:
            case "softmax":
                with np.errstate(over="ignore"):  # exp overflows where the person is hopeless
                    return np.asarray(1 / np.exp(logits - person).sum(axis=0), np.float32)
            case "sigmoid":
                return np.asarray(0.5 * (1 + np.tanh(0.5 * person)), np.float32)
            case "none":
                return np.asarray(np.clip(person, 0, 1), np.float32)

    def people_at_input(
        self, images: Sequence[npt.NDArray[np.uint8]]
    ) -> list[npt.NDArray[np.float32]]:
        """`person_at_input` of several pictures, one after the other."""
        return [self.person_at_input(image) for image in images]

    def _logits(self, image: npt.NDArray[np.uint8]) -> _Logits:
        """Run the network on one image: (classes, h, w)."""
        batch = self._input.prepare(image).numpy()
        if self._channels_last:
            batch = np.ascontiguousarray(batch.transpose(0, 2, 3, 1))
        name = self._session.get_inputs()[0].name
        try:
            output = np.asarray(self._session.run(None, {name: batch})[0], np.float32)
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise CheckpointError(
                f"{self.path}: cannot be run on an image of {batch.shape[1:]} ({_line(error)})."
            ) from error
        if output.ndim != 4:
            raise CheckpointError(
                f"{self.path}: its output {output.shape} is not (N, classes, H, W)."
            )
        logits: _Logits = output[0]
        return logits.transpose(2, 0, 1) if self._channels_last else logits


def _session(path: Path) -> Any:
    import onnxruntime

    if not path.is_file():
        raise CheckpointError(f"{path}: no such file.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # pictures pass in parallel, see sinet.batching
    options.log_severity_level = 4  # what goes wrong is raised as well
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base class
        raise CheckpointError(
            f"{path}: cut off, damaged, or no ONNX network ({_line(error)})."
        ) from error


def _metadata(session: Any, path: Path) -> _Metadata:
    found = {}
    for key, text in session.get_modelmeta().custom_metadata_map.items():
        if key in _Metadata.model_fields:
            try:
                found[key] = json.loads(text)
            except ValueError:
                found[key] = text
    try:
        return _Metadata.model_validate(found)
    except ValidationError as error:
        raise CheckpointError(f"{path}: its metadata: {_first(error)}.") from error


def _person_index(classes: int, said: int | None, path: Path) -> int:
    if said is not None and said < classes:
        return said
    if said is not None:
        raise CheckpointError(f"{path}: person_index is {said}, but it has {classes} classes.")
    if classes not in _PERSON:
        raise CheckpointError(
            f"{path}: another network: it has {classes} classes and its metadata has no "
            "person_index to say which one is the person."
        )
    return _PERSON[classes]


def _activation(output: _Logits) -> Literal["softmax", "sigmoid", "none"]:
    """Tell logits from what is probabilities already (to float16's precision)."""
    sums_to_one = len(output) == 1 or np.abs(output.sum(axis=0) - 1).max() < 1e-2
    if output.min() >= 0 and output.max() <= 1 and sums_to_one:
        return "none"
    return "sigmoid" if len(output) == 1 else "softmax"


def _probe(spec: InputSpec) -> npt.NDArray[np.uint8]:
    shape = (spec.height, spec.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return ": ".join([*map(str, problem["loc"][:1]), problem["msg"]])


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
