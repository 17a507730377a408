"""Where networks run: one answer to `auto`, `cpu` or `cuda` for both runtimes."""

from typing import Literal

from sinet.errors import DeviceError
from sinet.gpus import gpu_count

Wanted = Literal["auto", "cpu", "cuda"]
Device = Literal["cpu", "cuda"]
Runtime = Literal["torch", "onnxruntime"]


def choose_device(wanted: str, runtime: Runtime = "torch") -> Device:
    """Return the device that a network runs on.

    Loads the runtime only where it has to be asked.

    Args:
        wanted: `auto`, the GPU if there is one; `cpu`; `cuda`.
        runtime: that runs the network; each may have a GPU of its own or none.

    Raises:
        DeviceError: a GPU was asked for, and the runtime has none here.
    """
    if wanted == "cpu":
        return "cpu"
    if _has_cuda(runtime):
        return "cuda"
    if wanted == "auto":
        return "cpu"
    if runtime == "torch":
        raise DeviceError("no CUDA device is available here; use --device cpu or auto.")
    raise DeviceError(
        "onnxruntime here has no CUDA provider; install onnxruntime-gpu or use --device cpu or "
        "auto."
    )


def _has_cuda(runtime: Runtime) -> bool:
    if runtime == "onnxruntime":
        import onnxruntime

        return "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if not gpu_count():  # without one, PyTorch takes seconds to say so
        return False
    import torch

    return torch.cuda.is_available()
