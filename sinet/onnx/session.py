"""ONNX Runtime: opened in silence, and stopped where a network never ends."""

import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sinet.devices import Device
from sinet.errors import CheckpointError, NetworkOutputError

TIME_LIMIT_S: Final = 60.0
"""For one picture; the slowest network known takes three seconds on one core."""

_FATAL: Final = 4
_INPUT_TYPES: Final[dict[str, npt.DTypeLike]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}


class Session:
    """A network of one input in ONNX Runtime.

    Attributes:
        input_shape: as the graph declares it; axes of free size have a name or None.
        input_type: dtype of the input.
        outputs: their names.
        metadata: of the file.
    """

    def __init__(
        self,
        model: Path | bytes,
        path: Path,
        device: Device = "cpu",
        threads: int = 0,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        """Open a network.

        Args:
            model: the file, or its content after it was changed.
            path: of the file, for messages.
            device: where it runs.
            threads: of ONNX Runtime within this process; 0: one a core.
            time_limit_s: a run that takes longer is ended.

        Raises:
            CheckpointError: no ONNX network, or not one of one input of a kind that pixels fit.
        """
        import onnxruntime

        onnxruntime.set_default_logger_severity(_FATAL)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL  # what goes wrong is raised as well
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = ["CUDAExecutionProvider"] if device == "cuda" else []
        given = str(model) if isinstance(model, Path) else model
        try:
            self._session = onnxruntime.InferenceSession(
                given, options, providers=[*providers, "CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise CheckpointError(
                f"{path}: cut off, damaged, or no ONNX network that ONNX Runtime can load "
                f"({_line(error)})"
            ) from error
        self._path, self._time_limit_s = path, time_limit_s
        inputs = self._session.get_inputs()
        self.wanted = ", ".join(f"{each.type} {each.shape}" for each in inputs)
        if len(inputs) != 1 or inputs[0].type not in _INPUT_TYPES:
            raise CheckpointError(f"{path}: cannot be fed one picture: its input is {self.wanted}")
        self._name = inputs[0].name
        self.input_shape: list[int | str | None] = list(inputs[0].shape)
        self.input_type = np.dtype(_INPUT_TYPES[inputs[0].type])
        self.outputs: list[str] = [each.name for each in self._session.get_outputs()]
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, batch: npt.NDArray[Any], outputs: list[str]) -> list[npt.NDArray[Any]]:
        """Return outputs of one run.

        Raises:
            NetworkOutputError: the network failed, or did not end in time.
        """
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.log_severity_level = _FATAL
        ended = threading.Event()

        def end() -> None:
            ended.set()
            options.terminate = True

        watch = threading.Timer(self._time_limit_s, end)
        watch.daemon = True
        watch.start()
        try:
            return list(self._session.run(outputs, {self._name: batch}, options))
        except Exception as error:  # onnxruntime's exceptions share no public base class
            reason = (
                f"ended after {self._time_limit_s:g} s on one picture; does it loop for ever?"
                if ended.is_set()
                else f"cannot be run on {batch.dtype} {batch.shape} ({_line(error)})"
            )
            raise NetworkOutputError(f"{self._path}: {reason}") from error
        finally:
            watch.cancel()


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
