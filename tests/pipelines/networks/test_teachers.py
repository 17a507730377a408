"""Teachers are loaded from files of every supported kind, or refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipelines.networks import load_teacher
from pipelines.networks.base import PersonTeacher
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import OnnxSettings, TeacherSettings
from sinet.onnx.model import OnnxModel
from sinet.probability import softmax_channel
from tests.sinet.onnx.networks import Build

Image = npt.NDArray[np.uint8]

# The mean of these pixels is far from 127.5 in every channel, and differs between them.
RED, GREY = (250, 20, 20), (128, 128, 128)
NHWC, NCHW = ["N", 8, 6, 3], ["N", 3, 8, 6]


def save_network(
    path: Path,
    weights: npt.NDArray[Any],
    *,
    shape: list[Any] = NCHW,
    nodes: list[str] | None = None,
    kind: int = TensorProto.FLOAT,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A 1×1 convolution (classes, 3) of the pixels, in either layout, then `nodes`."""
    classes = len(weights)
    channels_last = len(shape) == 4 and shape[3] == 3
    chain, current = [], "image"

    def add(operator: str, *inputs: str, **attributes: Any) -> None:
        nonlocal current
        name = f"{operator}_{len(chain)}"
        chain.append(helper.make_node(operator, [current, *inputs], [name], **attributes))
        current = name

    if kind != TensorProto.FLOAT:
        add("Cast", to=TensorProto.FLOAT)
    if channels_last:
        add("Transpose", perm=[0, 3, 1, 2])
    if len(shape) == 4:
        add("Conv", "weights")
    for operator in nodes or []:
        add(operator, **({"axis": 1} if operator == "Softmax" else {}))
    if channels_last:
        add("Transpose", perm=[0, 2, 3, 1])
    kernel = np.asarray(weights, np.float32).reshape(classes, 3, 1, 1)
    graph = helper.make_graph(
        chain,
        "test",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return path


def pattern(classes: int, person: int) -> npt.NDArray[np.float32]:
    """Weights that see a person where the picture is red rather than blue."""
    weights = np.zeros((classes, 3), np.float32)
    weights[person] = (8, 0, -8)
    return weights


def red_and_blue(height: int = 80, width: int = 60) -> Image:
    """Red above, blue below."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, :, 0] = image[height // 2 :, :, 2] = 255
    return image


def onnx_teacher(path: Path, **settings: Any) -> PersonTeacher:
    """The file as `ingest --teacher onnx:FILE` has it."""
    chosen = TeacherSettings(name=f"onnx:{path}", onnx=OnnxSettings(**settings))
    teacher = load_teacher(chosen, "cpu")
    assert isinstance(teacher, PersonTeacher)
    return teacher


def opened(path: Path, **settings: Any) -> OnnxModel:
    """The network of that teacher."""
    model = onnx_teacher(path, **settings).model
    assert isinstance(model, OnnxModel)
    return model


def teach(path: Path, image: Image, **settings: Any) -> npt.NDArray[np.float32]:
    (probability,) = onnx_teacher(path, **settings).person_probability([image])
    assert probability.dtype == np.float32
    assert probability.shape == image.shape[:2]
    assert 0 <= probability.min() <= probability.max() <= 1
    return probability


@pytest.mark.parametrize("shape", [NCHW, NHWC, ["N", 3, "height", "width"], [1, 3, 8, 6]])
@pytest.mark.parametrize(("classes", "person"), [(1, 0), (2, 1), (21, 15)])
def test_any_class_count_in_any_layout(
    tmp_path: Path, classes: int, person: int, shape: list[Any]
) -> None:
    path = save_network(tmp_path / "n.onnx", pattern(classes, person), shape=shape)
    probability = teach(path, red_and_blue(), input_height=8, input_width=6)
    assert probability[:30].min() > 0.99
    assert probability[50:].max() < 0.01


def test_the_probability_is_the_softmax_of_the_normalised_pixels(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(21, 3)).astype(np.float32)
    path = save_network(tmp_path / "n.onnx", weights)
    pixel = np.array(RED)
    logits = weights @ ((pixel - np.array([10, 20, 30])) / np.array([40, 50, 60]))
    expected = np.exp(logits[15]) / np.exp(logits).sum()
    image = np.full((8, 6, 3), RED, np.uint8)
    assert teach(path, image, mean=(10, 20, 30), std=(40, 50, 60)) == pytest.approx(expected)
    default = weights @ (pixel / 127.5 - 1)
    expected = np.exp(default[15]) / np.exp(default).sum()
    assert teach(path, image) == pytest.approx(expected, rel=1e-5)


def test_settings_override_metadata_and_metadata_the_defaults(tmp_path: Path) -> None:
    metadata = {"person_index": "2", "mean": "[0, 0, 0]", "channel_order": "bgr", "author": "x"}
    path = save_network(tmp_path / "n.onnx", pattern(5, 2), metadata=metadata)
    model = opened(path)
    assert (model.output.person_index, model.input.mean) == (2, (0, 0, 0))
    assert model.input.std == (127.5,) * 3
    assert model.input.bgr
    assert (model.input.height, model.input.width, model.output.classes) == (8, 6, 5)
    # Read as blue, green, red, the lower half is what the network takes for a person.
    assert teach(path, red_and_blue())[50:].min() > 0.99
    assert teach(path, red_and_blue(), channel_order="rgb")[:30].min() > 0.99
    assert opened(path, person_index=4).output.person_index == 4


@pytest.mark.parametrize(
    ("classes", "nodes", "activation"),
    [
        (1, [], "sigmoid"),
        (1, ["Sigmoid"], "none"),
        (2, [], "softmax"),
        (2, ["Softmax"], "none"),
        # They do not add up to 1, and are probabilities all the same.
        (2, ["Sigmoid"], "none"),
    ],
)
def test_probabilities_are_told_from_logits(
    tmp_path: Path, classes: int, nodes: list[str], activation: str
) -> None:
    path = save_network(tmp_path / "n.onnx", pattern(classes, classes - 1), nodes=nodes)
    teacher = onnx_teacher(path)
    assert opened(path).output.meaning == activation
    (grey,) = teacher.person_probability([np.full((4, 4, 3), GREY, np.uint8)])
    assert grey == pytest.approx(0.5, abs=0.02)


def test_an_image_alone_and_among_others_gets_the_same_bits(tmp_path: Path) -> None:
    teacher = onnx_teacher(save_network(tmp_path / "n.onnx", pattern(21, 15)))
    images = [red_and_blue(), red_and_blue(31, 17), np.full((1, 1, 3), RED, np.uint8)]
    together = teacher.person_probability(images)
    for image, probability in zip(images, together, strict=True):
        assert probability.shape == image.shape[:2]
        np.testing.assert_array_equal(teacher.person_probability([image])[0], probability)
    assert teacher.person_probability([]) == []


def test_a_teacher_is_named_by_its_weights(tmp_path: Path) -> None:
    one = onnx_teacher(save_network(tmp_path / "n.onnx", pattern(2, 1))).name
    two = onnx_teacher(save_network(tmp_path / "n.onnx", pattern(2, 0))).name
    assert one.startswith("onnx:n.onnx@sha256:")
    assert one != two


def test_of_several_outputs_the_name_says_which_was_taken(tmp_path: Path) -> None:
    build = Build().output("person")
    build.add("GlobalAveragePool").output("pooled")
    name = onnx_teacher(build.save(tmp_path / "n.onnx")).name
    assert name.startswith("onnx:n.onnx@sha256:")
    assert name.endswith("#person")


@pytest.mark.parametrize(
    ("shape", "classes", "options", "complaint"),
    [
        (["N", 3, 8], 2, {"nodes": ["Identity"]}, r"input has shape \['N', 3, 8\]"),
        (["N", 1, 8, 6], 2, {}, r"cannot be fed .*\['N', 1, 8, 6\]"),
        (NCHW, 2, {"kind": TensorProto.INT64}, r"cannot be fed .*int64"),
        (NCHW, 5, {}, r"output has 5 channels; say which .* person_index under \[teacher.onnx\]"),
        (NCHW, 2, {"nodes": ["Flatten"]}, r"output has 2 axes"),
        ([1, 3, 0, 0], 2, {}, r"input has shape \[1, 3, 0, 0\], which no picture has"),
        (NCHW, 2, {"metadata": {"layout": "hwc"}}, r"metadata: layout"),
        (NCHW, 2, {"metadata": {"person_index": "-1"}}, r"metadata: person_index"),
        (NCHW, 2, {"metadata": {"input_height": "-8"}}, r"metadata: input_height"),
        (NCHW, 2, {"metadata": {"mean": "grey"}}, r"metadata: mean"),
        (NCHW, 2, {"metadata": {"person_index": "7"}}, r"person_index 7, but .* 2 channels"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, shape: list[Any], classes: int, options: dict[str, Any], complaint: str
) -> None:
    path = save_network(tmp_path / "n.onnx", pattern(classes, 1), shape=shape, **options)
    with pytest.raises(ModelError, match=complaint) as caught:
        onnx_teacher(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [-3, 2**62])
def test_what_a_network_says_of_its_output_is_not_believed(tmp_path: Path, classes: int) -> None:
    path = save_network(tmp_path / "n.onnx", pattern(2, 1), nodes=["Softmax"])
    model = onnx.load(path)
    shape = model.graph.output[0].type.tensor_type.shape
    for number in (1, classes, 8, 6):
        shape.dim.add().dim_value = number
    path.write_bytes(model.SerializeToString())
    person = teach(path, red_and_blue())
    assert person[:30].min() > 0.9 > 0.1 > person[-30:].max()


@pytest.mark.parametrize(
    ("name", "weights", "complaint"),
    [
        ("deeplab", None, "unknown network 'deeplab'; known are auto, .* sinet:bundled"),
        ("onnx:{}/missing.onnx", None, "missing.onnx: no such ONNX file"),
        ("onnx:{}/text.onnx", None, "text.onnx: .* no ONNX network that ONNX Runtime can load"),
        ("onnx:{}/text.onnx", "{}/text.onnx", "--teacher-weights is for torchvision's networks"),
        ("auto", "{}/missing.pth", "missing.pth: no such file; --teacher-weights wants"),
    ],
)
def test_a_teacher_that_cannot_be_had(
    tmp_path: Path, name: str, weights: str | None, complaint: str
) -> None:
    (tmp_path / "text.onnx").write_text("404 Not Found")
    weights = weights and weights.format(tmp_path)
    with pytest.raises(ModelError, match=complaint) as caught:
        load_teacher(TeacherSettings(name=name.format(tmp_path), weights=weights), "cpu")
    assert "\n" not in str(caught.value)


def test_the_softmax_of_one_channel_is_exact_and_never_overflows() -> None:
    logits = np.array([[[0.0, 1000, -1000]], [[0, -1000, 1000]]], np.float32)
    np.testing.assert_array_equal(softmax_channel(logits, 1), [[0.5, 0, 1]])


def test_a_real_network_finds_a_real_person(shared: Path, astronaut: Image) -> None:
    path = shared / "weights" / "deeplabv3_mobilenetv2_voc.onnx"
    teacher = load_teacher(TeacherSettings(name=f"onnx:{path}"), "cpu")
    (probability,) = teacher.person_probability([astronaut])
    assert probability.shape == (512, 512)
    assert probability[90:160, 190:260].min() > 0.9  # the face
    assert probability[350:450, 150:300].mean() > 0.9  # the chest
    assert probability[:100, :80].max() < 0.3  # the flag behind
