"""A small network of TensorFlow Lite as ONNX.

As many kinds of steps are known as portrait networks of phones have, MediaPipe's own transposed
convolution included, which no other runtime knows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from sinet.errors import CheckpointError
from sinet.json_text import to_json

_OPSET, _IR = 14, 8
_DTYPES: Final[dict[int, type[np.generic]]] = {0: np.float32, 1: np.float16, 2: np.int32}
"""By the number of the type of a tensor."""

_TRANSPOSED: Final = "Convolution2DTransposeBias"
_SAME: Final = 0
_AUTO_PAD: Final = {_SAME: "SAME_UPPER", 1: "VALID"}


def onnx_of_tflite(content: bytes, metadata: Mapping[str, object]) -> onnx.ModelProto:
    """Rewrite a network of one float input (1, H, W, C) and one output.

    Args:
        content: of the .tflite file.
        metadata: of the ONNX file, see `OnnxOptions`; values become JSON.

    Returns:
        The same network, its input (1, C, H, W), its output likewise.

    Raises:
        CheckpointError: it has a step that is not known here.
        ImportError: the package `tflite`, which knows the format, is not installed.
    """
    network = _Network(content)
    for number in range(network.graph.OperatorsLength()):
        network.add(network.graph.Operators(number))
    (inlet,) = network.graph.InputsAsNumpy()
    (outlet,) = network.graph.OutputsAsNumpy()
    graph = helper.make_graph(
        network.nodes,
        "tflite",
        [network.declared(int(inlet))],
        [network.declared(int(outlet))],
        network.initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR
    )
    helper.set_model_props(model, {key: to_json(value) for key, value in metadata.items()})
    onnx.checker.check_model(model, full_check=True)
    return model


class _Network:
    """The network while it is rewritten."""

    def __init__(self, content: bytes) -> None:
        import tflite

        self._schema = tflite
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self.graph = self._model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._constants: dict[int, npt.NDArray[Any]] = {}
        numbers = vars(tflite.BuiltinOperator).items()
        self._kinds = {number: name for name, number in numbers if isinstance(number, int)}
        self._rewrite: dict[str, Callable[[Any, list[int], int], None]] = {
            "DEQUANTIZE": self._dequantise,
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._depthwise,
            _TRANSPOSED: self._transposed,
            "AVERAGE_POOL_2D": self._pooling,
            "RESIZE_BILINEAR": self._enlargement,
            "ADD": lambda step, inputs, out: self._plain("Add", "AddOptions", step, inputs, out),
            "MUL": lambda step, inputs, out: self._plain("Mul", "MulOptions", step, inputs, out),
            "RELU": lambda _, inputs, out: self._node("Relu", inputs, out),
            "HARD_SWISH": lambda _, inputs, out: self._node("HardSwish", inputs, out),
            "LOGISTIC": lambda _, inputs, out: self._node("Sigmoid", inputs, out),
        }

    def add(self, step: Any) -> None:
        """Rewrite a step."""
        code = self._model.OperatorCodes(step.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = self._kinds.get(number, str(number))
        if kind == "CUSTOM":
            kind = (code.CustomCode() or b"").decode(errors="replace")
        if kind not in self._rewrite:
            raise CheckpointError(f"a network of TensorFlow Lite has the step {kind}, unknown here")
        inputs = [int(each) for each in step.InputsAsNumpy()]
        self._rewrite[kind](step, inputs, int(step.Outputs(0)))

    def declared(self, tensor: int) -> onnx.ValueInfoProto:
        """An input or output of the network."""
        batch, height, width, channels = self.graph.Tensors(tensor).ShapeAsNumpy().tolist()
        shape = (batch, channels, height, width)
        return helper.make_tensor_value_info(_name(tensor), TensorProto.FLOAT, shape)

    def _options(self, name: str, step: Any) -> Any:
        """What is said of a step beside its inputs; nothing else may be hidden in it."""
        options = getattr(self._schema, name)()
        table = step.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        if getattr(options, "FusedActivationFunction", int)():
            raise CheckpointError("a network of TensorFlow Lite has activations within other steps")
        return options

    def _constant(self, tensor: int) -> npt.NDArray[Any]:
        if tensor not in self._constants:
            described = self.graph.Tensors(tensor)
            stored = self._model.Buffers(described.Buffer()).DataAsNumpy().tobytes()
            dtype = _DTYPES[described.Type()]
            shape = described.ShapeAsNumpy()
            self._constants[tensor] = np.frombuffer(stored, dtype).reshape(shape)
        return self._constants[tensor]

    def _node(self, kind: str, inputs: Sequence[int | str], out: int, **how: Any) -> None:
        names = [each if isinstance(each, str) else _name(each) for each in inputs]
        self.nodes.append(helper.make_node(kind, names, [_name(out)], **how))

    def _weights(self, values: npt.NDArray[Any], name: str) -> str:
        values = np.ascontiguousarray(values, np.float32)
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def _dequantise(self, _: Any, inputs: list[int], out: int) -> None:
        """Weights in half precision are what it is used for."""
        self._constants[out] = self._constant(inputs[0]).astype(np.float32)

    def _plain(self, kind: str, options: str, step: Any, inputs: list[int], out: int) -> None:
        self._options(options, step)
        self._node(kind, inputs, out)

    def _convolution(self, step: Any, inputs: list[int], out: int) -> None:
        kernel = self._constant(inputs[1]).transpose(0, 3, 1, 2)
        self._convolved(self._options("Conv2DOptions", step), inputs, kernel, out, group=1)

    def _depthwise(self, step: Any, inputs: list[int], out: int) -> None:
        kernel = self._constant(inputs[1]).transpose(3, 0, 1, 2)
        options = self._options("DepthwiseConv2DOptions", step)
        group = len(kernel) // options.DepthMultiplier()
        self._convolved(options, inputs, kernel, out, group=group)

    def _convolved(
        self, options: Any, inputs: list[int], kernel: npt.NDArray[Any], out: int, *, group: int
    ) -> None:
        names = [
            _name(inputs[0]),
            self._weights(kernel, f"kernel{out}"),
            self._weights(self._constant(inputs[2]), f"bias{out}"),
        ]
        self._node(
            "Conv", names, out,
            group=group,
            strides=[options.StrideH(), options.StrideW()],
            dilations=[options.DilationHFactor(), options.DilationWFactor()],
            auto_pad=_AUTO_PAD[options.Padding()],
        )  # fmt: skip

    def _transposed(self, step: Any, inputs: list[int], out: int) -> None:
        """MediaPipe's; where kernels lie side by side, its options say what the shapes do."""
        _, height, width, _ = self.graph.Tensors(inputs[0]).ShapeAsNumpy().tolist()
        _, high, wide, _ = self.graph.Tensors(out).ShapeAsNumpy().tolist()
        kernel = self._constant(inputs[1]).transpose(3, 0, 1, 2)
        if (high, wide) != (height * kernel.shape[2], width * kernel.shape[3]):
            raise CheckpointError(f"a network of TensorFlow Lite has an overlapping {_TRANSPOSED}")
        names = [
            _name(inputs[0]),
            self._weights(kernel, f"kernel{out}"),
            self._weights(self._constant(inputs[2]), f"bias{out}"),
        ]
        self._node("ConvTranspose", names, out, strides=[*kernel.shape[2:]])

    def _pooling(self, step: Any, inputs: list[int], out: int) -> None:
        options = self._options("Pool2DOptions", step)
        self._node(
            "AveragePool", inputs, out,
            kernel_shape=[options.FilterHeight(), options.FilterWidth()],
            strides=[options.StrideH(), options.StrideW()],
            auto_pad=_AUTO_PAD[options.Padding()],
        )  # fmt: skip

    def _enlargement(self, step: Any, inputs: list[int], out: int) -> None:
        options = self._options("ResizeBilinearOptions", step)
        if options.AlignCorners() or not options.HalfPixelCenters():
            raise CheckpointError("a network of TensorFlow Lite enlarges off centre, unknown here")
        batch, height, width, channels = self.graph.Tensors(out).ShapeAsNumpy().tolist()
        sizes = np.array([batch, channels, height, width], np.int64)
        self.initializers.append(numpy_helper.from_array(sizes, f"sizes{out}"))
        self._node(
            "Resize", [_name(inputs[0]), "", "", f"sizes{out}"], out,
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )  # fmt: skip


def _name(tensor: int) -> str:
    return f"tensor{tensor}"
