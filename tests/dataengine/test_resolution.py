"""`--resolution`: one file that works at several sizes, and files that do not."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from sinet.models import load_person_model
from sinet.network_ref import parse
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint, make_data
from tests.sinet.onnx.networks import Build


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", count=6)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "a.safetensors")


@pytest.fixture
def larger(tmp_path: Path) -> Path:
    """The same weights in a file that says 64 × 64."""
    return make_checkpoint(tmp_path / "larger.safetensors", side=64)


def test_a_file_at_another_size_is_the_file_that_says_so(
    run: Run, data: Path, checkpoint: Path, larger: Path
) -> None:
    options = ["--data", data, "--compare", checkpoint, "--json"]
    found = json.loads(run("evaluate", checkpoint, "--resolution", "64", *options).out)
    expected = json.loads(run("evaluate", larger, *options).out)
    assert (found["resolution"], expected["resolution"]) == (64, None)
    for key in ("mean", "by_image", "macs", "compared_with"):
        assert found[key] == expected[key]
    assert found["mean"] != found["compared_with"]["mean"]
    shown = run("evaluate", checkpoint, "--resolution", "64", *options[:-1])
    assert "a.safetensors at 64" in shown.out
    for name, out, more in ((checkpoint, "one", ["--resolution", "64"]), (larger, "other", [])):
        assert run("predict", name, data / "images", "--out", out, *more).code == 0
    masks = sorted(Path("one").iterdir())
    assert len(masks) == 6
    for mask in masks:
        assert mask.read_bytes() == Path("other", mask.name).read_bytes()


def test_an_export_takes_that_size(run: Run, data: Path, checkpoint: Path) -> None:
    made = run(
        "convert", checkpoint, "--out", "a.onnx", "--resolution", "96", "--check", data / "images"
    )
    assert made.code == 0, made.err
    (inlet,) = onnx.load("a.onnx").graph.input
    assert [each.dim_value for each in inlet.type.tensor_type.shape.dim] == [1, 3, 96, 96]
    options = ["--data", data, "--json"]
    expected = json.loads(run("evaluate", checkpoint, "--resolution", "96", *options).out)["mean"]
    found = json.loads(run("evaluate", "a.onnx", *options).out)["mean"]
    assert found == pytest.approx(expected, abs=1e-3)
    assert (
        json.loads(run("evaluate", "a.onnx", "--resolution", "96", *options).out)["mean"] == found
    )
    assert_one_line_error(
        run("evaluate", "a.onnx", "--resolution", "64", *options),
        "a.onnx: takes images of 96 × 96 pixels and of no other size; --resolution is for",
    )
    mean = f"{checkpoint},a.onnx"  # all of its networks, or none
    assert_one_line_error(run("predict", mean, data, "--out", "o", "--resolution", "64"), "96 × 96")


def test_an_exported_network_of_free_size_takes_any(tmp_path: Path) -> None:
    path = Build(shape=("N", 3, "H", "W")).save(tmp_path / "free.onnx")
    model = load_person_model(parse(str(path)).at(160))
    assert model.person_at_input(np.zeros((40, 30, 3), np.uint8)).shape == (160, 160)


def test_a_row_for_each_size(run: Run, data: Path, checkpoint: Path, larger: Path) -> None:
    sizes = ["--resolution", "32", "--resolution", "64"]
    answer = run(
        "bench", "models", "--network", checkpoint, *sizes, "--data", data, "--runs", "1", "--json"
    )
    assert answer.code == 0, answer.err
    rows = json.loads(answer.out)["rows"]
    assert [row["input"] for row in rows] == [[32, 32], [64, 64]]
    scored = json.loads(run("evaluate", larger, "--data", data, "--json").out)["mean"]
    assert rows[1]["trained"]["native_iou"] == scored["native_iou"]


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["evaluate", "{file}", "--data", "{data}", "--resolution", "100"], "a multiple of 32"),
        (["predict", "{file}", "{data}", "--out", "o", "--resolution", "65"], "a multiple of 32"),
        (["convert", "{file}", "--out", "o.onnx", "--resolution", "33"], "a multiple of 32"),
        (["bench", "models", "--network", "{file}", "--resolution", "48"], "a multiple of 32"),
        (["evaluate", "fake", "--data", "{data}", "--resolution", "64"], "fake: has its own way"),
    ],
)
def test_what_no_network_takes_is_one_line(
    run: Run, data: Path, checkpoint: Path, arguments: list[str], pattern: str
) -> None:
    filled = [each.format(file=checkpoint, data=data) for each in arguments]
    assert_one_line_error(run(*filled), pattern)
    assert list(Path.cwd().iterdir()) == []
