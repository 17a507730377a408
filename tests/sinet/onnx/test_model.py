"""Exported networks, understood from their shapes and metadata."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from sinet.checkpoint import Model
from sinet.errors import CheckpointError
from sinet.models import cost, load_person_model
from sinet.normalisation import InputSpec
from sinet.onnx.model import OnnxModel
from sinet.predict import PersonModel, predict

RED = np.broadcast_to(np.array((255, 0, 0), np.uint8), (40, 50, 3))


def save(path, weights, *, shape=("N", 3, 32, 48), nodes=(), metadata=None):
    """A 1 × 1 convolution (classes, 3) of the input, then `nodes`."""
    chain, current = [], "image"
    channels_last = len(shape) == 4 and shape[3] == 3

    def add(operator, *inputs, **attributes):
        nonlocal current
        name = f"{operator}_{len(chain)}"
        chain.append(helper.make_node(operator, [current, *inputs], [name], **attributes))
        current = name

    if channels_last:
        add("Transpose", perm=[0, 3, 1, 2])
    add("Conv", "weights")
    for operator in nodes:
        add(operator, **({"axis": 1} if operator == "Softmax" else {}))
    if channels_last:
        add("Transpose", perm=[0, 2, 3, 1])
    kernel = np.asarray(weights, np.float32).reshape(-1, 3, 1, 1)
    graph = helper.make_graph(
        chain,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path


def person(path):
    """The probability in a red picture, the same everywhere."""
    answer = predict(OnnxModel(path), RED)
    assert answer.shape == (40, 50)
    assert answer.dtype == np.float32
    assert answer.min() == pytest.approx(answer.max())
    return float(answer[0, 0])


SIGMOID_1 = 1 / (1 + np.exp(-1))
BY_RED = (1, 0, 0)  # of RED in [-1, 1]: 1


@pytest.mark.parametrize("shape", [("N", 3, 32, 48), (1, 32, 48, 3), (1, 3, "H", "W")])
@pytest.mark.parametrize(
    ("weights", "nodes", "expected"),
    [
        ([BY_RED], [], SIGMOID_1),
        ([BY_RED], ["Sigmoid"], SIGMOID_1),
        ([(0, 0, 0), BY_RED], [], SIGMOID_1),
        ([(0, 0, 0), BY_RED], ["Softmax"], SIGMOID_1),
        ([(0, 0, 0)] * 15 + [BY_RED] + [(0, 0, 0)] * 5, [], np.e / (np.e + 20)),
    ],
)
def test_classes_and_layouts(tmp_path, shape, weights, nodes, expected):
    path = save(tmp_path / "x.onnx", weights, shape=shape, nodes=nodes)
    assert person(path) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"mean": [127.5, 0, 0], "std": [127.5, 1, 1]}, SIGMOID_1),
        ({"channel_order": "bgr"}, 1 - SIGMOID_1),
        ({"person_index": 0}, 1 - SIGMOID_1),
        ({"activation": "sigmoid"}, SIGMOID_1),
        ({"author": "somebody"}, SIGMOID_1),
    ],
)
def test_metadata(tmp_path, metadata, expected):
    said = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    path = save(tmp_path / "x.onnx", [(0, 0, 0), BY_RED], metadata=said)
    assert person(path) == pytest.approx(expected, abs=1e-5)


def test_a_picture_shrinks_to_the_input_and_the_cost_is_that_of_the_file(tmp_path):
    model = load_person_model(save(tmp_path / "x.onnx", [BY_RED, BY_RED]))
    assert isinstance(model, OnnxModel)
    assert (model.input.height, model.input.width) == (32, 48)
    assert (cost(model).parameters, cost(model).macs) == (6, None)


def test_both_kinds_of_model_satisfy_the_protocol(tmp_path):
    from sinet.networks import SINet

    torch.manual_seed(0)
    models: list[PersonModel] = [
        OnnxModel(save(tmp_path / "x.onnx", [BY_RED])),
        Model(SINet().eval(), InputSpec(height=32, width=32)),
    ]
    assert all(predict(model, RED).shape == (40, 50) for model in models)


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (
            {"weights": [BY_RED] * 5},
            "5 channels; say which one is the person with person_index in its metadata",
        ),
        ({"metadata": {"person_index": "7"}}, "person_index 7, but the output has 2 channels"),
        ({"metadata": {"mean": "[1]"}}, "its metadata: mean"),
        ({"metadata": {"std": "[0, 0, 0]"}}, "std must be above 0"),
        ({"shape": ("N", 4, 32, 48)}, "cannot be fed"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path, arguments, pattern):
    weights = arguments.pop("weights", [BY_RED] * 2)
    path = save(tmp_path / "x.onnx", weights, **arguments)
    with pytest.raises(CheckpointError, match=pattern) as caught:
        OnnxModel(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
