"""Run converted files, each in its own runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sinet.convert.core_ml import open_core_ml
from sinet.convert.description import Description
from sinet.convert.problems import ConversionError, first_line
from sinet.convert.tensorflow_lite import open_tflite
from sinet.convert.writing import EXTRA_FILE, RT_INFO_SECTION, import_openvino
from sinet.onnx.graph import read_graph
from sinet.onnx.model import OnnxModel
from sinet.probability import sigmoid, softmax_channel

Planes = npt.NDArray[np.float32]
Infer = Callable[[Planes], Planes]


class ConvertedModel:
    """A converted network, ready to run.

    Attributes:
        description: its input and output.
        infer: maps float32 (1, 3, H, W), normalised, to its raw output (1, channels, H, W).
    """

    def __init__(self, description: Description, infer: Infer) -> None:
        self.description = description
        self.infer = infer

    def person_at_input(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the probability of the person at the network's input size.

        Args:
            image: uint8 (H, W, 3) RGB of any size.

        Returns:
            float32 (height, width) of the input, 0..1.
        """
        output: Planes = self.infer(self.description.input.planes(image))[0]
        person = self.description.person_index
        match self.description.activation:
            case "sigmoid":
                return sigmoid(output[person])
            case "softmax":
                return softmax_channel(output, person)
            case "none":
                return np.asarray(output[person], np.float32)


def open_converted(path: Path | str, *, threads: int = 1) -> ConvertedModel:
    """Open what `convert` wrote, told by its suffix.

    Args:
        path: of the file, or of Core ML's folder.
        threads: of ONNX Runtime, OpenVINO and LiteRT; PyTorch's are its own setting.

    Raises:
        ConversionError: no such file, damaged, of another kind, or its runtime is missing.
    """
    path = Path(path)
    openers = {
        ".onnx": _ConvertedOnnx,
        ".xml": _open_openvino,
        ".pt2": _open_torch_export,
        ".mlpackage": _open_core_ml,
        ".tflite": _open_tflite,
    }
    opener = openers.get(path.suffix.lower())
    if opener is None:
        raise ConversionError(f"{path}: of no known kind; known are {', '.join(openers)}.")
    if not path.exists():
        raise ConversionError(f"{path}: no such file.")
    try:
        return opener(path, threads)
    except ConversionError:
        raise
    except Exception as error:  # the runtimes' exceptions share no public base class
        raise ConversionError(f"{path}: cannot be read ({first_line(error)}).") from error


class _ConvertedOnnx(ConvertedModel):
    """Run by the one reader of ONNX files, so that what is checked is what will be used."""

    def __init__(self, path: Path, threads: int) -> None:
        entries = {each.key: each.value for each in read_graph(path).metadata_props}
        description = Description.read(entries, path)
        self._model = OnnxModel(path, threads=threads, whole=True)
        super().__init__(description, self._model.infer)

    def person_at_input(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._model.person_at_input(image)


def _open_openvino(path: Path, threads: int) -> ConvertedModel:
    openvino = import_openvino()
    model = openvino.Core().read_model(path)
    description = Description.read(_rt_info(model), path)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # or bfloat16 is used where the processor has it
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()

    def infer(planes: Planes) -> Planes:
        tensor = openvino.Tensor(np.ascontiguousarray(planes), shared_memory=True)
        request.set_input_tensor(tensor)
        request.infer()
        return np.array(request.get_output_tensor().data, np.float32)

    return ConvertedModel(description, infer)


def _rt_info(model: Any) -> dict[str, str]:
    if not model.has_rt_info([RT_INFO_SECTION]):
        return {}
    section = model.get_rt_info([RT_INFO_SECTION]).value
    return {key: getattr(entry, "value", entry) for key, entry in section.items()}


def _open_torch_export(path: Path, _: int) -> ConvertedModel:
    extra = {EXTRA_FILE: ""}
    program = torch.export.load(path, extra_files=extra)
    text = extra[EXTRA_FILE]
    description = Description.read({"sinet": text} if text else {}, path)
    network = program.module()

    def infer(planes: Planes) -> Planes:
        with torch.inference_mode():
            output: Planes = network(torch.from_numpy(planes)).numpy()
        return output

    return ConvertedModel(description, infer)


def _open_core_ml(path: Path, _: int) -> ConvertedModel:
    entries, infer = open_core_ml(path)
    return ConvertedModel(Description.read(entries, path), infer)


def _open_tflite(path: Path, threads: int) -> ConvertedModel:
    entries, infer = open_tflite(path, threads)
    return ConvertedModel(Description.read(entries, path), infer)
