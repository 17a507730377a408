"""MTCNN's three networks in ONNX Runtime, with the weights inside facenet-pytorch.

The package itself is never imported: it imports torchvision, and each worker would pay for both
with nine seconds and half a gigabyte. Its weights are PyTorch's old format, whose pickle needs but
three names; the graphs are built from them anew, which takes some milliseconds.
"""

import hashlib
import importlib.util
import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.workspace.errors import ModelError

Floats = NDArray[np.float32]
State = Mapping[str, Floats]

FILES = ("pnet.pt", "rnet.pt", "onet.pt")

_MAGIC = 0x1950A86A20F9469CFC6C
_OPSET = 17


class Networks(NamedTuple):
    """Sessions of ONNX Runtime; each takes (N, 3, H, W) float32 in [-1, 1] as `image`.

    Attributes:
        proposal: any size; gives `boxes` (N, 4, h, w) and `probability` (N, 2, h, w).
        refinement: 24 × 24; gives `boxes` (N, 4) and `probability` (N, 2).
        output: 48 × 48; gives `boxes`, `landmarks` (N, 10) and `probability`.
    """

    proposal: Any
    refinement: Any
    output: Any


def load_networks(threads: int = 1) -> Networks:
    """Build the three networks.

    Args:
        threads: of ONNX Runtime within this process.

    Raises:
        ModelError: facenet-pytorch is not installed, or its weights are damaged.
    """
    proposal, refinement, output = (_read_state(path) for path in _files())
    return Networks(
        _session(_proposal(proposal), threads),
        _session(_refinement(refinement), threads),
        _session(_output(output), threads),
    )


def weights_sha256() -> str:
    """SHA-256 over the three weight files, first 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in _files():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files() -> list[Path]:
    found = importlib.util.find_spec("facenet_pytorch")
    if found is None or found.origin is None:
        raise ModelError("facenet-pytorch is not installed, whose weights find the faces")
    return [Path(found.origin).parent / "data" / name for name in FILES]


class _Stored(NamedTuple):
    """A tensor of which the values are still to come: they follow after the pickle."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, values: Floats) -> Floats:
        """Lay the tensor out of its storage.

        Raises:
            ValueError: it does not lie within.
        """
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((length - 1) * stride for length, stride in steps)
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(values):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


class _Unpickler(pickle.Unpickler):
    """Reads a state dict of float32 and nothing else: no name but three leads anywhere."""

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _stored
            case "torch", "FloatStorage":
                return "float32"
        raise pickle.UnpicklingError(f"{module}.{name} has no place among weights")

    def persistent_load(self, reference: Any) -> str:
        return str(reference[2])


def _stored(
    storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Stored:
    return _Stored(storage, offset, shape, strides)


def _read_state(path: Path) -> State:
    try:
        with path.open("rb") as file:
            return _unpickled(file)
    except (OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path}: cannot be read as weights ({error}); install facenet-pytorch anew"
        ) from error


def _unpickled(file: IO[bytes]) -> State:
    """Magic number, version, platform, state dict, names of storages; then each one's values."""
    magic, _, _, state, names = (_Unpickler(file).load() for _ in range(5))
    if magic != _MAGIC:
        raise ValueError("not a file of torch.save")
    values = {}
    for name in names:
        count = int.from_bytes(file.read(8), "little")
        values[name] = np.frombuffer(file.read(4 * count), "<f4")
    return {key: tensor.of(values[tensor.storage]) for key, tensor in state.items()}


def _proposal(state: State) -> bytes:
    graph = _Graph(state)
    flow = graph.convolution("image", "conv1", "prelu1")
    flow = graph.convolution(graph.pool(flow, 2), "conv2", "prelu2")
    flow = graph.convolution(flow, "conv3", "prelu3")
    graph.node("Softmax", [graph.convolution(flow, "conv4_1")], "probability", axis=1)
    graph.node("Identity", [graph.convolution(flow, "conv4_2")], "boxes")
    return graph.model(("boxes", "probability"), rank=4)


def _refinement(state: State) -> bytes:
    graph = _Graph(state)
    flow = graph.pool(graph.convolution("image", "conv1", "prelu1"), 3)
    flow = graph.pool(graph.convolution(flow, "conv2", "prelu2"), 3)
    flow = graph.convolution(flow, "conv3", "prelu3")
    flow = graph.dense(graph.flat(flow), "dense4", "prelu4")
    graph.node("Softmax", [graph.dense(flow, "dense5_1")], "probability", axis=1)
    graph.node("Identity", [graph.dense(flow, "dense5_2")], "boxes")
    return graph.model(("boxes", "probability"), rank=2)


def _output(state: State) -> bytes:
    graph = _Graph(state)
    flow = graph.pool(graph.convolution("image", "conv1", "prelu1"), 3)
    flow = graph.pool(graph.convolution(flow, "conv2", "prelu2"), 3)
    flow = graph.pool(graph.convolution(flow, "conv3", "prelu3"), 2)
    flow = graph.convolution(flow, "conv4", "prelu4")
    flow = graph.dense(graph.flat(flow), "dense5", "prelu5")
    graph.node("Softmax", [graph.dense(flow, "dense6_1")], "probability", axis=1)
    graph.node("Identity", [graph.dense(flow, "dense6_2")], "boxes")
    graph.node("Identity", [graph.dense(flow, "dense6_3")], "landmarks")
    return graph.model(("boxes", "landmarks", "probability"), rank=2)


class _Graph:
    """An ONNX graph in the making; every method returns the name of what it gives."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._nodes: list[Any] = []
        self._weights: dict[str, Any] = {}

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def convolution(self, flow: str, name: str, slopes: str | None = None) -> str:
        weights = [self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        flow = self.node("Conv", [flow, *weights], name)
        if slopes is None:
            return flow
        return self.node("PRelu", [flow, self._weight(f"{slopes}.weight", (-1, 1, 1))], slopes)

    def dense(self, flow: str, name: str, slopes: str | None = None) -> str:
        weights = [self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        flow = self.node("Gemm", [flow, *weights], name, transB=1)
        if slopes is None:
            return flow
        return self.node("PRelu", [flow, self._weight(f"{slopes}.weight")], slopes)

    def pool(self, flow: str, side: int) -> str:
        name = f"{flow}_pooled"
        window = {"kernel_shape": [side, side], "strides": [2, 2], "ceil_mode": 1}
        return self.node("MaxPool", [flow], name, **window)

    def flat(self, flow: str) -> str:
        """In the order of its authors' Caffe: width, height, channels."""
        turned = self.node("Transpose", [flow], f"{flow}_turned", perm=[0, 3, 2, 1])
        return self.node("Flatten", [turned], f"{flow}_flat", axis=1)

    def model(self, outputs: Sequence[str], rank: int) -> bytes:
        """Serialise it; the first axis of inputs and outputs is free, an image's size, too."""
        from onnx import TensorProto, helper

        def described(name: str, axes: int) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * axes)

        graph = helper.make_graph(
            self._nodes,
            "mtcnn",
            [described("image", 4)],
            [described(name, rank) for name in outputs],
            list(self._weights.values()),
        )
        opset = [helper.make_opsetid("", _OPSET)]
        return bytes(
            helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
        )

    def _weight(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        from onnx import numpy_helper

        values = self._state[name]
        values = values if shape is None else values.reshape(shape)
        self._weights[name] = numpy_helper.from_array(values, name)
        return name


def _session(model: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # of no use where every image has another size
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
