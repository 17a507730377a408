"""What runs networks, known from their names alone: nothing is loaded to plan with it."""

from collections.abc import Sequence

from pipelines.networks.names import MEDIAPIPE
from sinet.devices import Runtime, choose_device
from sinet.errors import DeviceError
from sinet.gpus import gpu_count
from sinet.network_ref import NetworkKind, NetworkRef


def modules_of(networks: Sequence[NetworkRef]) -> tuple[str, ...]:
    """Modules that loading the networks imports and that take long, those of MTCNN included."""
    found = {"onnxruntime": None, "onnx": None}
    for network in networks:
        match network.kind:
            case NetworkKind.BUNDLED | NetworkKind.CHECKPOINT:
                found |= {"sinet.checkpoint": None}
            case NetworkKind.NAMED if network.name != MEDIAPIPE:
                found |= {"torchvision": None}
    return tuple(found)


def gpus_for(networks: Sequence[NetworkRef], device: str) -> int:
    """On how many GPUs the networks would run.

    Args:
        networks: that are asked side by side.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        0 where none of them runs on one; what was asked for in vain is told when it is loaded.
    """
    if device == "cpu" or not gpu_count():
        return 0
    return gpu_count() if any(_runs_on_gpu(network, device) for network in networks) else 0


def _runs_on_gpu(network: NetworkRef, device: str) -> bool:
    is_onnx = network.kind is NetworkKind.ONNX or network.name == MEDIAPIPE
    runtime: Runtime = "onnxruntime" if is_onnx else "torch"
    try:
        return choose_device(device, runtime) == "cuda"
    except DeviceError:
        return False
