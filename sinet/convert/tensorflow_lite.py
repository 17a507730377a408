"""TensorFlow Lite: written by Google's converter, run by Google's interpreter.

The converter wants another PyTorch than this environment has, so it lives in one of its own (`uv
tool run`). A network goes there as a `torch.export` file and comes back as TensorFlow Lite's.
"""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from sinet.convert.description import Description
from sinet.convert.problems import ConversionError, first_line
from sinet.uv import uv_command

CONVERTER: Final = "litert-torch==0.10.0"

_PROGRAM: Final = """
import sys, torch, litert_torch
program = torch.export.load(sys.argv[1])
shape = [int(each) for each in sys.argv[3:]]
litert_torch.convert(program.module(), (torch.zeros(shape),)).export(sys.argv[2])
"""


def converter() -> list[str]:
    """Return what runs Python in the converter's environment, and installs nothing.

    Raises:
        ConversionError: there is no uv.
    """
    uv = uv_command()
    if uv is None:
        raise ConversionError(
            "TensorFlow Lite's converter is installed and run by uv, which is missing: python -m "
            "pip install uv."
        )
    return [*uv, "tool", "run", "--offline", "--from", CONVERTER, "python"]


def _import_litert() -> tuple[Any, Any]:
    """Return LiteRT's modules: the format, and what runs it."""
    try:
        from ai_edge_litert import interpreter, schema_py_generated
    except ImportError as error:
        raise ConversionError(
            "LiteRT, which runs TensorFlow Lite's files, is not installed: pip install "
            "'portrait-dataengine[tflite]'."
        ) from error
    return schema_py_generated, interpreter


def check_converter() -> None:
    """Find out early whether TensorFlow Lite's files can be written and checked.

    Raises:
        ConversionError: the interpreter or the converter is not installed.
    """
    _import_litert()
    there = [*converter(), "-c", "import importlib.metadata as m; m.version('litert-torch')"]
    if subprocess.run(there, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode:
        raise ConversionError(
            "TensorFlow Lite's converter is not installed: uv tool run --from "
            f"{CONVERTER} python -c 'import litert_torch' fetches it, with a PyTorch of its own "
            "(some 6 GB)."
        )


def write_tflite(network: nn.Module, description: Description, path: Path) -> None:
    """Write a file for TensorFlow Lite in single precision, its description in the metadata.

    Raises:
        ConversionError: the converter fails.
    """
    shape = (1, 3, description.input.height, description.input.width)
    with tempfile.TemporaryDirectory() as folder:
        program, made = Path(folder) / "program.pt2", Path(folder) / "made.tflite"
        torch.export.save(torch.export.export(network, (torch.zeros(shape),)), program)
        command = [*converter(), "-c", _PROGRAM, str(program), str(made), *map(str, shape)]
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode or not made.is_file():
            reason = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
            raise ConversionError(f"{path.name}: {CONVERTER} does not convert it ({reason[0]}).")
        path.write_bytes(with_metadata(made.read_bytes(), description.entries()))


def with_metadata(content: bytes, entries: dict[str, str]) -> bytes:
    """Return a file's content with entries of metadata, each a buffer of its own."""
    import flatbuffers

    schema, _ = _import_litert()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.metadata = model.metadata or []
    for key, value in entries.items():
        buffer, named = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(value.encode(), np.uint8)
        named.name, named.buffer = key, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(named)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def open_tflite(path: Path, threads: int) -> tuple[dict[str, str], Callable[[Any], Any]]:
    """Return a file's metadata, and what maps its input to its output, arrays of float32.

    Raises:
        ConversionError: the interpreter is not installed, or it cannot run the file.
    """
    schema, interpreters = _import_litert()
    content = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    entries = {
        each.name.decode(): bytes(bytearray(model.buffers[each.buffer].data)).decode()
        for each in model.metadata or []
        if each.name.isascii() and model.buffers[each.buffer].data is not None
    }
    try:
        interpreter = interpreters.Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ConversionError(
            f"{path.name}: LiteRT does not take it ({first_line(error)})."
        ) from error
    inlet = interpreter.get_input_details()[0]["index"]
    outlet = interpreter.get_output_details()[0]["index"]

    def infer(planes: Any) -> Any:
        interpreter.set_tensor(inlet, np.ascontiguousarray(planes, np.float32))
        interpreter.invoke()
        return interpreter.get_tensor(outlet).copy()

    return entries, infer
