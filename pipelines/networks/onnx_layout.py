"""How an ONNX segmentation network is fed, read from the network itself."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import OnnxSettings

Activation = Literal["softmax", "sigmoid", "none"]

_DEFAULT_SIDE_PX = 513
_VOC_CLASSES, _VOC_PERSON = 21, 15


@dataclass(frozen=True)
class OnnxLayout:
    """How a network wants its input and what its output means.

    Attributes:
        height: of the input, in pixels.
        width: of the input, in pixels.
        channels_last: (N, H, W, 3) instead of (N, 3, H, W), for input and output.
        bgr: channels are blue, green, red.
        resize: how images are brought to its size; None: as it is quickest without loss.
        mean: subtracted from pixel values in [0, 255], in the model's channel order.
        std: divided by, likewise.
        classes: channels of the output.
        person_index: the channel that is taken.
        activation: what turns the output into probabilities.
    """

    height: int
    width: int
    channels_last: bool
    bgr: bool
    resize: Literal["bilinear", "area"] | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: int
    person_index: int
    activation: Activation


def read_layout(
    session: Any,
    path: Path,
    settings: OnnxSettings,
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> OnnxLayout:
    """Layout from the settings, else the model's metadata, else its shapes, else defaults.

    Metadata keys are the names of `[teacher.onnx]`; values are JSON. Without any, pixels are RGB in
    [-1, 1], as in TensorFlow's DeepLab.
    """
    said = {key: value for key, value in _metadata(session, path).items() if value is not None}
    said |= {key: value for key, value in settings.model_dump().items() if value is not None}
    shape = session.get_inputs()[0].shape
    if len(shape) != 4:
        raise ModelError(f"{path}: its input has shape {shape}, not a batch of images")
    channels_last = (
        said.get("layout", "nhwc" if shape[3] == 3 and shape[1] != 3 else "nchw") == "nhwc"
    )
    rows, columns = (shape[1], shape[2]) if channels_last else (shape[2], shape[3])
    height = rows if isinstance(rows, int) else said.get("input_height", _DEFAULT_SIDE_PX)
    width = columns if isinstance(columns, int) else said.get("input_width", _DEFAULT_SIDE_PX)
    try:
        output = run(probe(height, width, channels_last))
    except Exception as error:  # onnxruntime's exceptions share no public base class
        wanted = ", ".join(f"{each.type} {each.shape}" for each in session.get_inputs())
        raise ModelError(
            f"{path}: cannot be fed one float32 image of 3 channels, {height}×{width}; "
            f"its input is {wanted}"
        ) from error
    if output.ndim != 3:
        raise ModelError(f"{path}: its output has {output.ndim + 1} axes, not (N, classes, H, W)")
    if channels_last:
        output = output.transpose(2, 0, 1)
    classes = len(output)
    return OnnxLayout(
        height=height,
        width=width,
        channels_last=channels_last,
        bgr=said.get("channel_order", "rgb") == "bgr",
        resize=said.get("resize"),
        mean=tuple(said.get("mean", (127.5, 127.5, 127.5))),
        std=tuple(said.get("std", (127.5, 127.5, 127.5))),
        classes=classes,
        person_index=_person_index(classes, said.get("person_index"), path),
        activation=said.get("activation") or _activation(output),
    )


def _metadata(session: Any, path: Path) -> Mapping[str, Any]:
    known = OnnxSettings.model_fields
    found = {}
    for key, text in session.get_modelmeta().custom_metadata_map.items():
        if key in known:
            try:
                found[key] = json.loads(text)
            except ValueError:
                found[key] = text
    try:
        return OnnxSettings.model_validate(found).model_dump()
    except ValidationError as error:
        problem = error.errors()[0]
        raise ModelError(f"{path}: its metadata: {problem['loc'][0]}: {problem['msg']}") from error


def _person_index(classes: int, said: int | None, path: Path) -> int:
    if said is not None:
        if said >= classes:
            raise ModelError(f"{path}: person_index {said}, but the output has {classes} channels")
        return said
    known = {1: 0, 2: 1, _VOC_CLASSES: _VOC_PERSON}
    if classes not in known:
        raise ModelError(
            f"{path}: its output has {classes} channels; say which one is the person with "
            "person_index under [teacher.onnx] in dataengine.toml"
        )
    return known[classes]


def _activation(output: NDArray[np.float32]) -> Activation:
    """Whether the output of a probe is probabilities already (to float16's precision)."""
    if (
        output.min() >= 0
        and output.max() <= 1
        and (len(output) == 1 or np.abs(output.sum(axis=0) - 1).max() < 1e-2)
    ):
        return "none"
    return "sigmoid" if len(output) == 1 else "softmax"


def probe(height: int, width: int, channels_last: bool) -> NDArray[np.float32]:
    """A fixed batch of one picture with structure, in [-1, 1]."""
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, height, width, 3)).astype(np.float32)
    return pixels if channels_last else np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
