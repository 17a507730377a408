"""Dtype and shape decide what an exported network's output means."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sinet.errors import CheckpointError, NetworkOutputError
from sinet.onnx.model import OnnxModel
from sinet.onnx.options import NAMES, OnnxOptions
from tests.sinet.onnx.networks import HEIGHT, WIDTH, Build, Step, endless, red_above_blue


def to_last(build: Build) -> None:
    build.add("Transpose", perm=[0, 2, 3, 1])


def argmax(build: Build, axis: int = 1, keepdims: int = 1) -> None:
    build.add("ArgMax", axis=axis, keepdims=keepdims)


def quantised(build: Build, *, back: bool) -> None:
    """In 8 bits, as an INT8 export ends; steps of a tenth, so that no sum is 1."""
    scale, zero = build.constant(0.1), build.constant(0, np.uint8)
    build.add("Softmax", axis=1).add("QuantizeLinear", scale, zero)
    if back:
        build.add("DequantizeLinear", scale, zero)


def reshaped(*shape: int) -> Step:
    def step(build: Build) -> None:
        build.add("Reshape", build.constant(shape, np.int64))

    return step


def resized(rows: int, columns: int) -> Step:
    def step(build: Build) -> None:
        sizes = build.constant([1, 2, rows, columns], np.int64)
        build.nodes.append(_resize(build.current, sizes))
        build.current = "resized"

    return step


def _resize(name: str, sizes: str) -> Any:
    from onnx import helper

    return helper.make_node("Resize", [name, "", "", sizes], ["resized"], mode="linear")


ONE = (1, 3, HEIGHT, WIDTH)
KINDS: list[tuple[str, Build, list[Step], str]] = [
    ("class map, 2", Build(), [argmax], "classes"),
    ("class map, 21", Build(21, 15), [argmax], "classes"),
    ("class map without channels", Build(), [lambda b: argmax(b, keepdims=0)], "classes"),
    ("class map of channels last", Build(), [to_last, lambda b: argmax(b, 3)], "classes"),
    ("class map in int32", Build(), [argmax, lambda b: b.add("Cast", to=6)], "classes"),
    ("class map in uint8", Build(21, 15), [argmax, lambda b: b.add("Cast", to=2)], "classes"),
    ("class map in floats", Build(21, 15), [argmax, lambda b: b.add("Cast", to=1)], "classes"),
    ("yes or no", Build(1, 0), [lambda b: b.add("Greater", b.constant(0))], "classes"),
    ("integers that vote", Build(), [lambda b: b.add("Cast", to=TensorProto.INT32)], "votes"),
    ("softmax in 8 bits", Build(), [lambda b: quantised(b, back=True)], "none"),
    ("softmax of 21 in 8 bits", Build(21, 15), [lambda b: quantised(b, back=True)], "none"),
    ("softmax stored in 8 bits", Build(), [lambda b: quantised(b, back=False)], "none"),
    ("two sigmoids", Build(), [lambda b: b.add("Sigmoid")], "none"),
    ("21 sigmoids", Build(21, 15), [lambda b: b.add("Sigmoid")], "none"),
    ("softmax of channels last", Build(), [to_last, lambda b: b.add("Softmax", axis=3)], "none"),
    ("logits of channels last", Build(21, 15), [to_last], "softmax"),
    ("channels last in, first out", Build(shape=("N", HEIGHT, WIDTH, 3), channels_last=True), [],
     "softmax"),
    ("first in, last out", Build(), [to_last], "softmax"),
    ("a plane without channels", Build(1, 0, shape=ONE), [reshaped(1, HEIGHT, WIDTH)], "sigmoid"),
    ("a plane alone", Build(1, 0, shape=ONE), [reshaped(HEIGHT, WIDTH)], "sigmoid"),
    ("no batch", Build(shape=ONE), [reshaped(2, HEIGHT, WIDTH)], "softmax"),
    ("one axis too many", Build(shape=ONE), [reshaped(1, 1, 2, HEIGHT, WIDTH)], "softmax"),
    ("two axes too many", Build(shape=ONE), [reshaped(1, 2, 1, HEIGHT, WIDTH, 1)], "softmax"),
    ("another size", Build(shape=ONE), [resized(20, 16)], "softmax"),
    ("a batch of four", Build(shape=(4, 3, HEIGHT, WIDTH)), [], "softmax"),
    ("free size", Build(shape=("N", 3, "H", "W")), [], "softmax"),
    ("free in everything", Build(shape=("N", "a", "b", "c")), [], "softmax"),
    ("free in everything, channels last",
     Build(shape=("N", "a", "b", "c"), channels_last=True), [], "softmax"),
    ("half precision in", Build(kind=TensorProto.FLOAT16), [], "softmax"),
    ("half precision out", Build(), [lambda b: b.add("Cast", to=TensorProto.FLOAT16)], "softmax"),
    ("double precision", Build(kind=TensorProto.DOUBLE),
     [lambda b: b.add("Cast", to=TensorProto.DOUBLE)], "softmax"),
    ("pixels as they are", Build(kind=TensorProto.UINT8), [], "softmax"),
    ("pixels below 0", Build(kind=TensorProto.INT8), [], "softmax"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "steps", "meaning"), [kind[1:] for kind in KINDS], ids=[kind[0] for kind in KINDS]
)
def test_the_person_is_found(tmp_path: Path, build: Build, steps: list[Step], meaning: str) -> None:
    for step in steps:
        step(build)
    model = OnnxModel(build.save(tmp_path / "x.onnx"))
    assert model.output.meaning == meaning
    person = model.person_at_input(red_above_blue(80, 64))
    assert person.dtype == np.float32
    rows = len(person)
    assert person[: rows // 2 - rows // 8].min() > 0.8
    assert person[rows // 2 + rows // 8 :].max() < 0.2


@pytest.mark.parametrize("first", ["features", "person"])
def test_of_several_outputs_the_map_is_taken(tmp_path: Path, first: str) -> None:
    build = Build()
    if first == "person":
        build.output("person")
    build.add("GlobalAveragePool").output("pooled").back_to(build.logits)
    build.add("Concat", build.logits, build.logits, axis=1).output("features")
    if first == "features":
        build.back_to(build.logits).output("person")
    path = build.save(tmp_path / "x.onnx")
    model = OnnxModel(path)
    assert model.output.name == "person"
    assert set(model.output.others) == {"pooled", "features"}
    assert model.person_at_input(red_above_blue())[:10].min() > 0.9
    chosen = OnnxModel(path, OnnxOptions(output="features", person_index=3))
    assert (chosen.output.name, chosen.output.classes) == ("features", 6)
    with pytest.raises(CheckpointError, match=r"has no output `mask` \(.*\); correct it in its"):
        OnnxModel(path, OnnxOptions(output="mask"))


def test_several_outputs_and_no_map(tmp_path: Path) -> None:
    build = Build().add("GlobalAveragePool").output("a").add("Flatten").output("b")
    with pytest.raises(CheckpointError, match=r"none of its outputs is a map .*`a` .*, `b` \["):
        OnnxModel(build.save(tmp_path / "x.onnx"))


def test_what_classes_were_chosen_from_tells_more_than_their_numbers(tmp_path: Path) -> None:
    build = Build(21, 15).add("ArgMax", axis=1).output("classes")
    build.back_to(build.logits).add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    model = OnnxModel(build.output("logits").save(tmp_path / "x.onnx"))
    assert (model.output.name, model.output.meaning) == ("logits", "softmax")


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 3, 100_000, 100_000), OnnxOptions()),
        ((10**9, 3, HEIGHT, WIDTH), OnnxOptions()),
        (("N", 3, "H", "W"), OnnxOptions(input_height=10**6, input_width=10**6)),
    ],
)
def test_an_input_that_no_memory_holds(
    tmp_path: Path, shape: tuple[Any, ...], options: OnnxOptions
) -> None:
    with pytest.raises(CheckpointError, match="pixels does not fit into memory; at most"):
        OnnxModel(Build(shape=shape).save(tmp_path / "x.onnx"), options)


def test_a_sequence_among_the_outputs_is_passed_over(tmp_path: Path) -> None:
    build = Build().output("person")
    build.nodes.append(helper.make_node("SequenceConstruct", [build.logits], ["many"]))
    path = build.save(tmp_path / "x.onnx")
    model = onnx.load(path)
    model.graph.output.append(
        helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, None)
    )
    onnx.save(model, path)
    assert OnnxModel(path).output.others == ("many",)


def test_a_class_map_that_says_nothing_of_its_classes(tmp_path: Path) -> None:
    path = Build(5, 3).add("Cast", to=TensorProto.INT64).save(tmp_path / "votes.onnx")
    with pytest.raises(CheckpointError, match="5 channels"):
        OnnxModel(path)
    build = Build(1, 0).add("Cast", to=TensorProto.INT64)
    path = build.save(tmp_path / "x.onnx")
    with pytest.raises(CheckpointError, match=r"map of classes \(int64\); say which number is"):
        OnnxModel(path)
    model = OnnxModel(path, OnnxOptions(person_index=16, mean=(0, 0, 0), std=(127.5,) * 3))
    assert model.person_at_input(red_above_blue())[0, 0] == 1  # 2 · 8
    assert model.person_at_input(red_above_blue())[-1, 0] == 0


@pytest.mark.parametrize(
    ("steps", "pattern"),
    [
        ([lambda b: b.add("Sqrt")], "has NaN"),
        ([lambda b: b.add("Div", b.constant(0))], "has (infinite values|NaN)"),
        ([lambda b: b.add("Mul", b.constant(np.inf))], "has (infinite values|NaN)"),
        (
            [lambda b: setattr(b, "metadata", {"activation": "none"})],
            r"values from -?[\d.]+ to [\d.]+, which are no probabilities",
        ),
    ],
)
def test_an_answer_of_no_use_fails_the_picture(
    tmp_path: Path, steps: list[Step], pattern: str
) -> None:
    build = Build(1, 0)
    for step in steps:
        step(build)
    path = build.save(tmp_path / "x.onnx")
    with pytest.raises(NetworkOutputError, match=pattern) as caught:
        OnnxModel(path).person_at_input(red_above_blue())
    assert str(path) in str(caught.value)


def test_an_endless_network_is_ended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build = Build()
    endless(build)
    path = build.save(tmp_path / "x.onnx")
    with pytest.raises(CheckpointError, match=r"ended after 0\.5 s on one picture; does it loop"):
        OnnxModel(path, time_limit_s=0.5)
    assert capfd.readouterr() == ("", "")


def test_the_runtime_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = Build(shape=("N", 3, "H", "W"))
    wrong.add("Add", wrong.constant(np.zeros((1, 2, 7, 7))))  # of no size that it is fed with
    (tmp_path / "text.onnx").write_text("404 Not Found")
    for path in (wrong.save(tmp_path / "wrong.onnx"), tmp_path / "text.onnx"):
        with pytest.raises(CheckpointError):
            OnnxModel(path)
    assert capfd.readouterr() == ("", "")


def test_probabilities_on_another_scale_are_no_logits(tmp_path: Path) -> None:
    build = Build(1, 0).add("Sigmoid")
    path = build.add("Mul", build.constant(255)).save(tmp_path / "x.onnx")
    with pytest.raises(CheckpointError, match=r"values from [\d.]+ to [\d.]+, neither probab"):
        OnnxModel(path)


@pytest.mark.parametrize("key", ["mean", "std"])
@pytest.mark.parametrize("value", ["[NaN, 1, 1]", "[1, Infinity, 1]"])
def test_settings_that_are_no_numbers_are_refused(tmp_path: Path, key: str, value: str) -> None:
    build = Build()
    build.metadata = {key: value}
    with pytest.raises(CheckpointError, match=rf"its metadata: {key}: .*finite"):
        OnnxModel(build.save(tmp_path / "x.onnx"))


def test_what_is_said_by_the_caller_comes_before_the_file() -> None:
    file = OnnxOptions(mean=(1, 2, 3), person_index=0, resize="area")
    found = OnnxOptions(person_index=4).over(file)
    assert (found.mean, found.person_index, found.resize) == ((1, 2, 3), 4, "area")
    assert set(NAMES) >= {"mean", "std", "output"}
