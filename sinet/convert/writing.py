"""One writer per format: a PyTorch network and its description into a file."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import onnx
import torch
from torch import nn

from sinet.convert.description import INPUT_NAME, OUTPUT_NAME, Description
from sinet.convert.problems import ConversionError

Format = Literal["onnx", "onnx-web", "openvino", "torch-export", "coreml", "tflite"]

SUFFIXES: Final[dict[Format, str]] = {
    "onnx": ".onnx",
    "onnx-web": ".onnx",
    "openvino": ".xml",
    "torch-export": ".pt2",
    "coreml": ".mlpackage",
    "tflite": ".tflite",
}
PIXELS_IN: Final[frozenset[Format]] = frozenset({"onnx-web", "coreml", "tflite"})
"""Formats whose files take pixels and answer a probability, see `sinet.convert.pixels`."""
EXTRA_FILE: Final = "sinet.json"
"""Name of the description inside a `torch.export` file."""

_OPSET: Final = 17


def onnx_model(network: nn.Module, description: Description) -> onnx.ModelProto:
    """Export a network to ONNX, its description in the metadata."""
    buffer = io.BytesIO()
    with _quiet():
        torch.onnx.export(
            network,
            (_example(description),),
            buffer,  # type: ignore[arg-type]  # the annotation forgets what it accepts
            dynamo=False,  # the other exporter needs one more package and takes 20 s
            opset_version=_OPSET,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
        )
    model = onnx.load_from_string(buffer.getvalue())
    _reshape_slopes(model)
    onnx.helper.set_model_props(model, description.entries())
    return model


def write_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write an ONNX file."""
    path.write_bytes(model.SerializeToString())


def write_openvino(model: onnx.ModelProto, path: Path) -> None:
    """Write an ONNX network as OpenVINO's pair of files, `.xml` and `.bin`, in full precision.

    Raises:
        ConversionError: OpenVINO is not installed.
    """
    openvino = import_openvino()
    converted = openvino.convert_model(io.BytesIO(model.SerializeToString()))
    for entry in model.metadata_props:
        converted.set_rt_info(entry.value, [RT_INFO_SECTION, entry.key])
    openvino.save_model(converted, path, compress_to_fp16=False)


RT_INFO_SECTION: Final = "portrait"
"""Where an OpenVINO file keeps the metadata."""


def write_torch_export(network: nn.Module, description: Description, path: Path) -> None:
    """Write a file for `torch.export.load`."""
    with _quiet():
        program = torch.export.export(network, (_example(description),))
        torch.export.save(program, path, extra_files={EXTRA_FILE: description.model_dump_json()})


def import_openvino() -> Any:
    """Return the `openvino` module.

    Raises:
        ConversionError: it is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise ConversionError(
            "OpenVINO is not installed: pip install 'portrait-dataengine[convert]'."
        ) from error
    return openvino


def _example(description: Description) -> torch.Tensor:
    return torch.zeros(1, 3, description.input.height, description.input.width)


def _reshape_slopes(model: onnx.ModelProto) -> None:
    """Give the slopes of every PReLU, (C, 1, 1), the rank of its input.

    They mean the same, but OpenVINO keeps a channels-last layout only across equal ranks.
    """
    slopes = {node.input[1] for node in model.graph.node if node.op_type == "PRelu"}
    for values in model.graph.initializer:
        if values.name in slopes and len(values.dims) == 3:
            values.dims.insert(0, 1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters from printing notes on their own future."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
