"""Run converted files, each in its own runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sinet.convert.description import INPUT_NAME, Description
from sinet.convert.problems import ConversionError, first_line
from sinet.convert.writing import EXTRA_FILE, RT_INFO_SECTION, import_openvino

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
        output = torch.from_numpy(self.infer(self.description.input.prepare(image).numpy()))
        sigmoid = self.description.activation == "sigmoid"
        probabilities = output.sigmoid() if sigmoid else output.softmax(dim=1)
        return np.asarray(probabilities[0, self.description.person_index].numpy(), np.float32)


def open_converted(path: Path | str, *, threads: int = 1) -> ConvertedModel:
    """Open what `convert` wrote: `.onnx`, `.xml` (OpenVINO) or `.pt2` (`torch.export`).

    Args:
        path: of the file.
        threads: of ONNX Runtime and OpenVINO; PyTorch's are its own setting.

    Raises:
        ConversionError: no such file, damaged, of another kind, or its runtime is missing.
    """
    path = Path(path)
    openers = {".onnx": _open_onnx, ".xml": _open_openvino, ".pt2": _open_torch_export}
    opener = openers.get(path.suffix.lower())
    if opener is None:
        raise ConversionError(f"{path}: of no known kind; known are {', '.join(openers)}.")
    if not path.is_file():
        raise ConversionError(f"{path}: no such file.")
    try:
        return opener(path, threads)
    except ConversionError:
        raise
    except Exception as error:  # the runtimes' exceptions share no public base class
        raise ConversionError(f"{path}: cannot be read ({first_line(error)}).") from error


def _open_onnx(path: Path, threads: int) -> ConvertedModel:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    description = Description.read(session.get_modelmeta().custom_metadata_map, path)

    def infer(planes: Planes) -> Planes:
        return np.asarray(session.run(None, {INPUT_NAME: planes})[0], np.float32)

    return ConvertedModel(description, infer)


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
