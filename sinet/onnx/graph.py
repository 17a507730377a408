"""What an ONNX graph itself tells of its outputs: the step that ends them."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

# Steps that change where or how values lie, but not what they mean.
_PASSED: Final = frozenset(
    {
        "Cast",
        "DequantizeLinear",
        "Flatten",
        "Identity",
        "QuantizeLinear",
        "Reshape",
        "Resize",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
        "Upsample",
    }
)


def read_graph(path: Path) -> onnx.ModelProto:
    """Read a file that ONNX Runtime has read; weights beside it stay there."""
    return onnx.load(path, load_external_data=False)


def last_step(model: onnx.ModelProto, output: str) -> onnx.NodeProto | None:
    """Return the node that decides what an output means: `Softmax`, `Conv` and the like."""
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in _PASSED:
        node = makers.get(node.input[0])
    return node


def quantisation(model: onnx.ModelProto, output: str) -> tuple[float, float] | None:
    """Return scale and zero point of an output that is stored quantised; None: it is not."""
    node = next((node for node in model.graph.node if output in node.output), None)
    if node is None or node.op_type != "QuantizeLinear":
        return None
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    for each in model.graph.node:
        if each.op_type == "Constant" and each.attribute and each.attribute[0].name == "value":
            constants[each.output[0]] = onnx.numpy_helper.to_array(each.attribute[0].t)
    found = [constants[name] for name in node.input[1:] if name in constants]
    if len(found) + 1 < len(node.input) or any(value.size != 1 for value in found):
        return None
    scale, zero = (float(value.item()) for value in (*found, np.zeros(1))[:2])
    return scale, zero


def with_output(model: onnx.ModelProto, name: str) -> bytes:
    """Return the network with one more output, an inner value."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.graph.output.append(onnx.ValueInfoProto(name=name))
    return bytes(changed.SerializeToString())


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return the value of a node's attribute."""
    found = (each for each in node.attribute if each.name == name)
    return next((onnx.helper.get_attribute_value(each) for each in found), default)
