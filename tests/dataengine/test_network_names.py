"""Every command that takes a network takes it by any name, and says what fits."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataengine.choices import NETWORK_HELP
from pipelines.networks.names import AUTO, CURRENT, MEDIAPIPE, TORCHVISION
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
        MEDIAPIPE,
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


def test_a_mean_goes_wherever_a_network_is_asked(
    run: Run, data: Path, tmp_path: Path, files: dict[str, str]
) -> None:
    both, alone = f"{files['sinet']}, fake", [files["sinet"], "fake"]
    for number, name in enumerate((both, *alone)):
        answer = run("predict", name, data / "images", "--out", f"masks/{number}")
        assert answer.code == 0, answer.err
    config = make_config(tmp_path, epochs=1)
    answer = run(
        "train", "--data", data, "--config", config, "--out", "run", "--teacher", both,
        "--held-out", "0", "--device", "cpu",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    soft = sorted(Path("run/soft_masks").iterdir())
    assert [each.name for each in soft] == ["p00.png", "p01.png"]
    for path in sorted(Path("masks/0").iterdir()):
        mean, *others = (
            np.asarray(Image.open(f"masks/{number}/{path.name}"), float) for number in range(3)
        )
        assert np.abs(mean - np.mean(others, axis=0)).max() <= 1.5  # each was rounded
        assert np.ptp(others[0] - others[1]) > 20
        if Path("run/soft_masks", path.name) in soft:
            taught = np.asarray(Image.open(Path("run/soft_masks", path.name)), float)
            assert np.abs(taught - mean).max() <= 1
    answer = run("evaluate", both, "--data", data, "--compare", "fake", "--json")
    found = json.loads(answer.out)
    assert found["network"] == both.replace(" ", "")
    assert found["parameters"] == 86_910
    assert found["macs"] is None
    assert found["compared_with"]["network"] == "fake"
    said = run("evaluate", "fake", "--data", data, "--compare", "bundled,sinet:bundled")
    assert "bundled, sinet:bundled" in said.out
    assert "1,623,808" in said.out  # of both networks
    known = json.loads(run("evaluate", "bundled,sinet:bundled", "--data", data, "--json").out)
    assert known["macs"] == sum(
        json.loads(run("evaluate", name, "--data", data, "--json").out)["macs"]
        for name in ("bundled", "sinet:bundled")
    )


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
        (["evaluate", "bundled,sinet:current", "--data", "{data}"], "workspace"),
        (["evaluate", "bundled", "--compare", "fake,fake", "--data", "{data}"], "there twice"),
        (["predict", "bundled,no.onnx", "{data}", "--out", "o"], "no.onnx: no such ONNX file"),
        (["train", "--data", "{data}", "--teacher", "bundled,bundld"], "did you mean bundled"),
        (["train", "--data", "{data}", "--init", "bundled,fake"], "a mean of networks, but --init"),
        (["convert", "bundled,sinet:bundled", "--out", "o.onnx"], "a mean of networks, but conv"),
    ],
)
def test_what_does_not_fit_is_one_line(
    run: Run, data: Path, tmp_path: Path, arguments: list[str], pattern: str
) -> None:
    (tmp_path / "x.onnx").touch()
    filled = [each.format(data=data, onnx=tmp_path / "x.onnx") for each in arguments]
    assert_one_line_error(run(*filled), pattern)
    assert list(Path.cwd().iterdir()) == []
