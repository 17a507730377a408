"""Small ONNX networks of every kind, made here."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 40, 32


class Build:
    """A graph that grows step by step: `image` goes in, what was added last comes out.

    It begins as a 1 × 1 convolution of `classes` channels that sees a person, in channel `person`,
    where the picture is red rather than blue.
    """

    def __init__(
        self,
        classes: int = 2,
        person: int = 1,
        *,
        shape: Sequence[Any] = ("N", 3, HEIGHT, WIDTH),
        kind: int = TensorProto.FLOAT,
        channels_last: bool = False,
        gain: float = 8,
    ) -> None:
        self.inputs = [helper.make_tensor_value_info("image", kind, list(shape))]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[str] = []
        self.metadata: dict[str, str] = {}
        self.current = "image"
        if kind != TensorProto.FLOAT:
            self.add("Cast", to=TensorProto.FLOAT)
        if channels_last:
            self.add("Transpose", perm=[0, 3, 1, 2])
        weights = np.zeros((classes, 3, 1, 1), np.float32)
        weights[person, 0], weights[person, 2] = gain, -gain
        self.add("Conv", self.constant(weights))
        self.logits = self.current

    def add(self, operator: str, *inputs: str, **attributes: Any) -> "Build":
        """A step on what was added last."""
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [self.current, *inputs], [name], **attributes))
        self.current = name
        return self

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """The name of a new constant."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def output(self, name: str = "") -> "Build":
        """Let what was added last come out, under a name of its own if one is given."""
        if name:
            self.nodes.append(helper.make_node("Identity", [self.current], [name]))
        self.outputs.append(name or self.current)
        return self

    def back_to(self, name: str) -> "Build":
        """Go on from an earlier step."""
        self.current = name
        return self

    def save(self, path: Path) -> Path:
        """Write it."""
        kinds = {}
        for node in self.nodes:  # the dtype of an output has to be declared
            to = next((each.i for each in node.attribute if each.name == "to"), None)
            same = kinds.get(node.input[0], TensorProto.FLOAT)
            kinds[node.output[0]] = (
                to
                if to is not None
                else {"ArgMax": TensorProto.INT64, "Greater": TensorProto.BOOL}.get(
                    node.op_type, self._quantised(node) or same
                )
            )
        names = self.outputs or [self.current]
        graph = helper.make_graph(
            self.nodes,
            "test",
            self.inputs,
            [helper.make_tensor_value_info(name, kinds[name], None) for name in names],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, self.metadata)
        onnx.save(model, str(path))
        return path

    def _quantised(self, node: onnx.NodeProto) -> int | None:
        if node.op_type == "DequantizeLinear":
            return TensorProto.FLOAT
        if node.op_type != "QuantizeLinear":
            return None
        (zero,) = (each for each in self.constants if each.name == node.input[2])
        return int(zero.data_type)


Step = Callable[[Build], Any]
"""What is added to a network."""


def endless(build: Build) -> None:
    """A loop that never ends."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["still"]),
            helper.make_node("Sin", ["x"], ["more"]),
        ],
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("go_on", TensorProto.BOOL, []),
            value("x", TensorProto.FLOAT, None),
        ],
        [value("still", TensorProto.BOOL, []), value("more", TensorProto.FLOAT, None)],
    )
    true = build.constant(True, np.bool_)
    build.nodes.append(helper.make_node("Loop", ["", true, build.current], ["looped"], body=body))
    build.current = "looped"


def red_above_blue(height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """Uint8 (height, width, 3) RGB: the upper half is what `Build` takes for a person."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, :, 0] = image[height // 2 :, :, 2] = 255
    return image
