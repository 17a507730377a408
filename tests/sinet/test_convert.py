import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from sinet import SINet
from sinet.checkpoint import Model, save_checkpoint
from sinet.convert import (
    ConversionError,
    convert,
    core_ml,
    open_converted,
    tensorflow_lite,
    verifying,
)
from sinet.convert.description import Description
from sinet.convert.pixels import PixelNetwork
from sinet.convert.writing import PIXELS_IN
from sinet.errors import CheckpointError
from sinet.networks import DeepLab
from sinet.normalisation import InputSpec

SPEC = InputSpec(channel_order="bgr", mean=(100, 110, 120), std=(50, 60, 70), height=64, width=96)
PIXELS = InputSpec(channel_order="rgb", mean=(0, 0, 0), std=(1, 1, 1), height=64, width=96)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    network = SINet()
    network.train()
    for _ in range(8):
        network(torch.randn(4, 3, 64, 96))  # settles the running statistics
    return Model(network.eval(), SPEC)


@pytest.fixture
def checkpoint(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model)
    return path


@pytest.fixture
def pictures(tmp_path, write_portrait):
    for number in range(4):
        write_portrait(tmp_path / "pictures", f"p{number}", number, (90, 80))
    return tmp_path / "pictures" / "images"


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("onnx", "m.onnx"),
        ("onnx-web", "m.onnx"),
        ("openvino", "m.xml"),
        ("torch-export", "m.pt2"),
        ("coreml", "m.mlpackage"),
        pytest.param("tflite", "m.tflite", marks=pytest.mark.campaign),
    ],
)
def test_each_format_answers_as_pytorch(model, checkpoint, pictures, tmp_path, to, name):
    if to == "openvino":
        pytest.importorskip("openvino")
    out = tmp_path / "out" / name
    out.parent.mkdir()
    done = convert(checkpoint, out, to, check_images=pictures)
    assert done.folded is (to != "onnx-web")
    assert done.agreement.images == 4
    assert done.agreement.mask_iou >= 0.999
    assert done.agreement.max_difference < 1e-4
    files = {file.name for file in out.parent.iterdir()}
    assert files == ({"m.xml", "m.bin"} if to == "openvino" else {name})
    written = (file for file in out.parent.rglob("*") if file.is_file())
    assert done.size_bytes == sum(file.stat().st_size for file in written)
    opened = open_converted(out)
    assert opened.description.input == (PIXELS if to in PIXELS_IN else SPEC)
    image = np.random.default_rng(5).integers(0, 256, (70, 50, 3), np.uint8)
    found = opened.person_at_input(image)
    assert found.shape == (64, 96)
    assert np.abs(found - model.person_at_input(image)).max() < 1e-4


def test_without_images_it_is_checked_on_bundled_photographs(checkpoint, tmp_path):
    done = convert(checkpoint, tmp_path / "m.onnx")
    assert done.agreement.images == 6


def test_what_an_onnx_teacher_reads(checkpoint, pictures, tmp_path):
    out = tmp_path / "m.onnx"
    convert(checkpoint, out, check_images=pictures)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    texts = session.get_modelmeta().custom_metadata_map
    said = {key: json.loads(text) for key, text in texts.items() if key != "sinet"}
    assert said == {
        "layout": "nchw",
        "channel_order": "bgr",
        "mean": [100, 110, 120],
        "std": [50, 60, 70],
        "person_index": 0,
        "activation": "sigmoid",
        "resize": "area",
    }
    assert session.get_inputs()[0].shape == [1, 3, 64, 96]
    assert session.get_outputs()[0].shape == [1, 1, 64, 96]


def test_shuffles_and_normalisations_are_gone(checkpoint, pictures, tmp_path):
    kinds = {}
    for fold in (True, False):
        out = tmp_path / f"{fold}.onnx"
        assert convert(checkpoint, out, check_images=pictures, fold=fold).folded is fold
        kinds[fold] = [node.op_type for node in onnx.load(out).graph.node]
    assert "BatchNormalization" not in kinds[True]
    assert "Transpose" not in kinds[True]
    assert kinds[True].count("Resize") == 6
    assert len(kinds[True]) < 0.6 * len(kinds[False])


def test_another_network_is_exported_as_it_is(tmp_path, pictures):
    torch.manual_seed(0)
    checkpoint = tmp_path / "deeplab.safetensors"
    save_checkpoint(checkpoint, Model(DeepLab().eval(), SPEC))
    done = convert(checkpoint, tmp_path / "m.onnx", check_images=pictures)
    assert not done.folded
    assert open_converted(tmp_path / "m.onnx").description.activation == "softmax"


@pytest.mark.parametrize(("to", "name"), [("onnx", "m.onnx"), ("openvino", "m.xml")])
def test_int8(checkpoint, pictures, tmp_path, monkeypatch, to, name):
    if to == "openvino":
        pytest.importorskip("openvino")
    # A random network is unsure everywhere: rounding to 8 bits turns many of its pixels.
    monkeypatch.setitem(verifying._MIN_IOU, "int8", 0.3)
    done = convert(
        checkpoint, tmp_path / name, to, int8=True, calibration=pictures, check_images=pictures
    )
    assert done.agreement.max_difference > 1e-4
    if to == "onnx":
        kinds = {node.op_type for node in onnx.load(tmp_path / name).graph.node}
        assert "DequantizeLinear" in kinds


def test_what_differs_is_not_written(checkpoint, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(verifying, "_MAX_DIFFERENCE", 0.0)
    out = tmp_path / "out" / "m.onnx"
    out.parent.mkdir()
    with pytest.raises(ConversionError, match="not written: on 4 images"):
        convert(checkpoint, out, check_images=pictures)
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
def test_a_cut_off_checkpoint_leaves_no_file(checkpoint, tmp_path, part):
    data = checkpoint.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(data[: int(len(data) * part)])
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(CheckpointError, match="cut off, damaged") as caught:
        convert(cut, out / "m.onnx")
    assert "\n" not in str(caught.value)
    assert list(out.iterdir()) == []


def test_a_foreign_checkpoint(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="no checkpoint of ours"):
        convert(tmp_path / "foreign.safetensors", tmp_path / "m.onnx")
    with pytest.raises(CheckpointError, match="no such file"):
        convert(tmp_path / "absent.safetensors", tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("to", "name", "existing"),
    [("onnx", "m.onnx", "m.onnx"), ("openvino", "m.xml", "m.xml"), ("openvino", "m.xml", "m.bin")],
)
def test_nothing_is_overwritten(checkpoint, tmp_path, to, name, existing):
    (tmp_path / existing).write_text("precious")
    with pytest.raises(ConversionError, match=re.escape(f"{existing}: exists already")):
        convert(checkpoint, tmp_path / name, to)
    assert (tmp_path / existing).read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "to", "options", "problem"),
    [
        ("m.onnx", "caffe", {}, "no format `caffe`"),
        ("m.tflite", "tflite", {"int8": True, "calibration": "."}, "INT8 is for"),
        ("m.bin", "onnx", {}, "must end in .onnx"),
        ("absent/m.onnx", "onnx", {}, "no such folder"),
        ("m.pt2", "torch-export", {"int8": True, "calibration": "."}, "INT8 is for"),
        ("m.onnx", "onnx", {"int8": True}, "give both"),
        ("m.onnx", "onnx", {"calibration": "."}, "give both"),
        ("m.onnx", "onnx", {"check_images": "absent"}, "no such folder of images"),
    ],
)
def test_options_that_do_not_fit(checkpoint, tmp_path, name, to, options, problem):
    with pytest.raises(ConversionError, match=re.escape(problem)) as caught:
        convert(checkpoint, tmp_path / name, to, **options)
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == [checkpoint.name]


def test_an_empty_folder_of_images(checkpoint, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ConversionError, match="holds no image"):
        convert(checkpoint, tmp_path / "m.onnx", check_images=tmp_path / "none")


@pytest.mark.parametrize("name", ["m.onnx", "m.pt2", "m.xml"])
def test_opening_what_is_broken(tmp_path, name):
    if name == "m.xml":
        pytest.importorskip("openvino")
    with pytest.raises(ConversionError, match="no such file"):
        open_converted(tmp_path / name)
    (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(ConversionError, match="cannot be read") as caught:
        open_converted(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_opening_what_is_no_model_of_ours(tmp_path):
    with pytest.raises(ConversionError, match="of no known kind"):
        open_converted(tmp_path / "m.pb")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value], [result])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "a.onnx")
    with pytest.raises(ConversionError, match="not a file that"):
        open_converted(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("to", "name", "module", "says"),
    [
        ("coreml", "m.mlpackage", "coremltools", "pip install 'portrait-dataengine[coreml]'"),
        ("tflite", "m.tflite", "ai_edge_litert", "pip install 'portrait-dataengine[tflite]'"),
        ("openvino", "m.xml", "openvino", "pip install 'portrait-dataengine[convert]'"),
    ],
)
def test_what_is_not_installed_is_one_line(
    checkpoint, tmp_path, monkeypatch, to, name, module, says
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConversionError, match=re.escape(says)) as caught:
        convert(checkpoint, tmp_path / name, to)
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == [checkpoint.name]


def test_a_converter_that_was_never_fetched_is_one_line(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(tensorflow_lite, "converter", lambda: ["false"])
    with pytest.raises(ConversionError, match=r"uv tool run --from litert-torch==.* fetches it"):
        convert(checkpoint, tmp_path / "m.tflite", "tflite")


def test_a_tflite_file_is_run_and_knows_what_it_is(tmp_path):
    """A file that the converter wrote: the brighter, the likelier a person."""
    content = (Path(__file__).parent / "brightness.tflite").read_bytes()
    spec = PIXELS.model_copy(update={"height": 32, "width": 64})
    said = Description(network="brightness", input=spec, activation="none", person_index=0)
    (tmp_path / "m.tflite").write_bytes(tensorflow_lite.with_metadata(content, said.entries()))
    opened = open_converted(tmp_path / "m.tflite")
    assert opened.description == said
    image = np.random.default_rng(7).integers(0, 256, (32, 64, 3), np.uint8)
    expected = 1 / (1 + np.exp(4 - image.mean(2) / 32))
    assert np.abs(opened.person_at_input(image) - expected).max() < 1e-5
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(ConversionError, match="not a file that `dataengine convert` made"):
        open_converted(tmp_path / "m.tflite")


def test_a_step_of_core_ml_that_cannot_be_checked_is_refused(tmp_path, monkeypatch):
    said = Description(network="one layer", input=PIXELS, activation="none", person_index=0)
    network = PixelNetwork(torch.nn.Conv2d(3, 1, 1), SPEC).eval()
    core_ml.write_core_ml(network, said, tmp_path / "m.mlpackage")
    assert open_converted(tmp_path / "m.mlpackage").description == said
    monkeypatch.delitem(core_ml._STEPS, "sigmoid")
    with pytest.raises(ConversionError, match="its step `sigmoid` cannot be checked elsewhere"):
        open_converted(tmp_path / "m.mlpackage")
