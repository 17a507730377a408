"""MediaPipe's network by name: in commands, and where its extra is not installed."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.networks import parse_network
from pipelines.networks.runtimes import modules_of
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_data


def test_it_goes_where_a_network_is_named(
    mediapipe: Path, run: Run, tmp_path: Path, astronaut: np.ndarray
) -> None:
    data = make_data(tmp_path / "data", count=6)
    answer = run(
        "evaluate", "mediapipe", "--data", data, "--compare", f"onnx:{mediapipe}", "--json"
    )
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["network"] == "mediapipe"
    assert found["mean"] == found["compared_with"]["mean"]
    Image.fromarray(astronaut).save(tmp_path / "photo.jpg", quality=95)
    answer = run("predict", "bundled,mediapipe", tmp_path / "photo.jpg", "--out", "masks")
    assert answer.code == 0, answer.err
    answer = run("-w", "w", "ingest", tmp_path / "photo.jpg", "--teacher", "bundled,mediapipe")
    assert answer.code == 0, answer.err
    (portrait,) = json.loads(run("-w", "w", "list", "--json").out)
    assert portrait["scores"]["opinion_2"] < 0.5
    assert "torchvision" not in modules_of([parse_network("mediapipe")])


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "mediapipe", "--data", "data"],
        ["predict", "bundled,mediapipe", "data", "--out", "masks"],
        ["ingest", "data", "--teacher", "bundled,mediapipe"],
        ["train", "--data", "data", "--teacher", "mediapipe"],
    ],
)
def test_without_the_extra_one_line_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    find = importlib.util.find_spec

    def missing(name: str, *rest: Any) -> Any:
        return None if name == "tflite" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    make_data(Path("data"), count=6)
    assert_one_line_error(run(*arguments), r"pip install 'portrait-dataengine\[mediapipe\]'")
    assert not (tmp_path / "cache").exists()
