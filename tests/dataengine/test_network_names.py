"""Every command that takes a network takes it by any name, and says what fits."""

import json
from pathlib import Path

import pytest

from dataengine.choices import NETWORK_HELP
from pipelines.networks.names import AUTO, CURRENT, TORCHVISION
from sinet.bundled import BUNDLED
from sinet.network_ref import PREFIXES, SUFFIXES
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint, make_config, make_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", count=6)


@pytest.fixture
def files(tmp_path: Path, run: Run, data: Path) -> dict[str, str]:
    """A checkpoint and what it was exported to, each by prefix and bare."""
    checkpoint, exported = make_checkpoint(tmp_path / "a.safetensors"), tmp_path / "a.onnx"
    answer = run("convert", f"sinet:{checkpoint}", "--out", exported, "--check", data / "images")
    assert answer.code == 0, answer.err
    return {
        "sinet": f"sinet:{checkpoint}",
        "bare": str(checkpoint),
        "onnx": f"onnx:{exported}",
        "bare onnx": str(exported),
    }


def test_the_help_tells_every_name() -> None:
    for name in (
        AUTO,
        *TORCHVISION,
        CURRENT,
        *BUNDLED,
        *SUFFIXES,
        *(f"{p}:FILE" for p in PREFIXES),
    ):
        assert name in NETWORK_HELP


def test_evaluate_and_predict_take_any(run: Run, data: Path, files: dict[str, str]) -> None:
    ious = {}
    for kind, name in {**files, "bundled": "sinet:bundled", "fake": "fake"}.items():
        answer = run("evaluate", name, "--data", data, "--compare", "fake", "--json")
        assert answer.code == 0, answer.err
        ious[kind] = json.loads(answer.out)["mean"]["iou"]
        answer = run("predict", name, data / "images", "--out", f"masks/{kind}", "--device", "cpu")
        assert answer.code == 0, answer.err
        assert len(list(Path(f"masks/{kind}").iterdir())) == 6
    assert ious["sinet"] == ious["bare"]
    assert ious["onnx"] == ious["bare onnx"] == pytest.approx(ious["sinet"], abs=1e-3)


def test_train_starts_from_and_distils_from_any(
    run: Run, data: Path, tmp_path: Path, files: dict[str, str]
) -> None:
    config = make_config(tmp_path, epochs=1)
    for number, (init, teacher) in enumerate(
        [("sinet", "onnx"), ("bare", "bare onnx"), ("bare", "sinet")]
    ):
        answer = run(
            "train", "--data", data, "--config", config, "--out", f"run{number}",
            "--init", files[init], "--teacher", files[teacher], "--device", "cpu",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        assert len(list(Path(f"run{number}/soft_masks").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["evaluate", "sinnet:bundled", "--data", "{data}"], "did you mean sinet:bundled"),
        (["predict", "sinet:bundeld", "{data}", "--out", "o"], "did you mean sinet:bundled"),
        (["convert", "bundled-onnx", "--out", "o.onnx"], "unknown network .* did you mean bundled"),
        (
            ["convert", "{onnx}", "--out", "o.onnx"],
            "exported network, but convert takes sinet:current",
        ),
        (
            ["convert", "auto", "--out", "o.onnx"],
            "convert takes sinet:current, bundled, sinet:bundled",
        ),
        (["train", "--data", "{data}", "--init", "{onnx}"], "but --init takes sinet:current"),
        (["train", "--data", "{data}", "--init", "auto"], "but --init takes sinet:current"),
        (["train", "--data", "{data}", "--teacher", "bundle"], "did you mean bundled"),
        (["ingest", "{data}", "--teacher", "deeplabv3_resnet52"], "did you mean deeplabv3_resnet"),
        (["ingest", "{data}", "--second-opinion", "onx:a"], "did you mean onnx:a"),
        (["relabel", "--network", "bundeld"], "did you mean bundled"),
        (["evaluate", "sinet:current", "--data", "{data}"], "workspace"),
    ],
)
def test_what_does_not_fit_is_one_line(
    run: Run, data: Path, tmp_path: Path, arguments: list[str], pattern: str
) -> None:
    (tmp_path / "x.onnx").touch()
    filled = [each.format(data=data, onnx=tmp_path / "x.onnx") for each in arguments]
    assert_one_line_error(run(*filled), pattern)
    assert list(Path.cwd().iterdir()) == []
