"""`dataengine convert`: a file that the other commands understand."""

import json
from pathlib import Path
from typing import get_args

import pytest

from dataengine.commands.convert import Format
from sinet.convert.writing import Format as Formats
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint, make_data


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "a.safetensors")


def test_a_converted_file_scores_as_its_checkpoint(
    run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    data = make_data(tmp_path / "data", count=6)
    answer = run("convert", checkpoint, "--out", "a.onnx", "--check", data / "images", "--json")
    assert answer.code == 0, answer.err
    outcome = json.loads(answer.out)
    assert outcome["path"] == "a.onnx"
    assert outcome["size_bytes"] == Path("a.onnx").stat().st_size
    assert outcome["agreement"]["images"] == 6
    options = ["--data", data, "--json"]
    expected = json.loads(run("evaluate", checkpoint, *options).out)["mean"]
    found = json.loads(run("evaluate", "a.onnx", *options).out)["mean"]
    assert found == pytest.approx(expected, abs=1e-3)


def test_the_choice_of_formats_is_sinets() -> None:
    assert [choice.value for choice in Format] == list(get_args(Formats))


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["missing.safetensors", "--out", "a.onnx"], r"missing\.safetensors: no such file"),
        (["{weights}", "--out", "a.xml"], r"a\.xml: a file of format onnx must end in \.onnx"),
        (["{weights}", "--out", "no/a.onnx"], "no: no such folder"),
        (["{weights}", "--out", "a.onnx", "--int8"], "calibration images go together"),
        (["{weights}", "--out", "a.pt2", "--to", "torch-export", "--int8"], "INT8 is for"),
    ],
)
def test_what_is_mistyped_is_one_line(
    run: Run, checkpoint: Path, arguments: list[str], pattern: str
) -> None:
    filled = [argument.format(weights=checkpoint) for argument in arguments]
    assert_one_line_error(run("convert", *filled), pattern)
    assert list(Path.cwd().iterdir()) == []


def test_nothing_is_overwritten(run: Run, checkpoint: Path) -> None:
    Path("a.onnx").write_bytes(b"mine")
    assert_one_line_error(run("convert", checkpoint, "--out", "a.onnx"), "exists already")
    assert Path("a.onnx").read_bytes() == b"mine"
