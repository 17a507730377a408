"""Torchvision's DeepLabv3 with weights from a file; their values do not matter here."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

from pipelines.networks import load_teacher
from pipelines.networks.base import Teacher
from pipelines.networks.downloading import FILES
from pipelines.networks.names import TORCHVISION as NETWORKS
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import TeacherSettings
from tests.conftest import CHECKOUT

MOBILENET = "deeplabv3_mobilenet_v3_large"


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, aux_loss=True)
    return network.state_dict()


@pytest.fixture(scope="module")
def weights(state: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(state, path)
    return path


def load(weights: Path, name: str = MOBILENET) -> Teacher:
    return load_teacher(TeacherSettings(name=name, weights=str(weights)), "cpu")


def test_weights_from_a_file(weights: Path) -> None:
    teacher = load(weights, "auto")  # on a CPU: the MobileNet
    assert teacher.name.startswith(f"torchvision:{MOBILENET}:random.pth@sha256:")
    noise = np.random.default_rng(0)
    images = [
        noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for height, width in [(64, 48), (90, 70)]
    ]
    together = teacher.person_probability(images)
    for image, probability in zip(images, together, strict=True):
        assert probability.shape == image.shape[:2]
        assert probability.dtype == np.float32
        assert 0 <= probability.min() <= probability.max() <= 1
    np.testing.assert_array_equal(teacher.person_probability(images[1:])[0], together[1])


def test_safetensors_and_files_without_the_training_head(
    state: dict[str, Any], weights: Path, tmp_path: Path
) -> None:
    bare = {k: v.contiguous() for k, v in state.items() if not k.startswith("aux_classifier")}
    save_file(bare, tmp_path / "bare.safetensors")
    image = np.full((32, 32, 3), 99, np.uint8)
    (expected,) = load(weights).person_probability([image])
    (found,) = load(tmp_path / "bare.safetensors").person_probability([image])
    np.testing.assert_array_equal(found, expected)


class Exploit:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_weights_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"backbone": Exploit(tmp_path / "owned")}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match=r"evil\.pth: not a readable file of weights"):
        load(tmp_path / "evil.pth")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("kind", ["text", "other network", "wrapped", "shapes", "no names"])
def test_a_file_of_something_else_is_refused(
    state: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "w.pth"
    first = next(iter(state))
    match kind:
        case "text":
            path.write_text("404 Not Found")
        case "other network":
            torch.save(torch.nn.Linear(2, 2).state_dict(), path)
        case "wrapped":
            torch.save({"state_dict": state, "epoch": 3}, path)
        case "shapes":
            torch.save({**state, first: torch.zeros(1, 2, 3, 4)}, path)
        case "no names":
            torch.save({0: torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"w\.pth: not (a readable file|the weights)") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert torch.hub.get_dir().startswith(str(tmp_path)), "weights downloaded before would do"


@pytest.mark.usefixtures("offline")
def test_a_failed_download_says_what_to_do_instead() -> None:
    with pytest.raises(ModelError) as caught:
        load_teacher(TeacherSettings(name=MOBILENET), "cpu")
    message = str(caught.value)
    for expected in (
        MOBILENET,
        "name resolution",
        "https://download.pytorch.org/models/",
        "--teacher-weights FILE",
        "--teacher onnx:FILE",
    ):
        assert expected in message
    assert "\n" not in message


def test_the_networks_are_torchvisions() -> None:
    from torchvision.models import get_model_weights

    for network in NETWORKS:
        weights = get_model_weights(network).DEFAULT
        assert weights.meta["categories"].index("person") == 15
        name, megabytes = FILES[network]
        assert weights.url == f"https://download.pytorch.org/models/{name}"
        assert megabytes == round(weights.meta["_file_size"])


@pytest.mark.usefixtures("offline")
def test_a_run_without_internet_says_so_once_and_nothing_else(
    astronaut: np.ndarray, tmp_path: Path
) -> None:
    for number in range(8):  # enough for two processes
        Image.fromarray(astronaut[:, number:]).save(tmp_path / f"{number}.jpg")
    run = subprocess.run(
        [Path(sys.executable).with_name("dataengine"), "-w", tmp_path / "ws", "ingest", tmp_path,
         "--workers", "2"],
        capture_output=True, text=True, cwd=CHECKOUT,
        env={**os.environ, "TORCH_HOME": str(tmp_path / "hub"), "https_proxy": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert run.returncode == 1
    *said, error = run.stderr.splitlines()
    assert error.startswith(f"error: the weights of {MOBILENET} could not be downloaded")
    assert any(line == f"downloading the weights of {MOBILENET} (42 MB), once" for line in said)
    assert len(said) <= 3, run.stderr


def test_nothing_is_said_by_the_server_of_workers(astronaut: np.ndarray, tmp_path: Path) -> None:
    """Torchvision brings libraries along that complain when the interpreter takes them down."""
    (tmp_path / "w.pth").write_bytes(b"no weights")
    for number in range(8):
        Image.fromarray(astronaut[:, number:]).save(tmp_path / f"{number}.jpg")
    run = subprocess.run(
        [Path(sys.executable).with_name("dataengine"), "-w", tmp_path / "ws", "ingest", tmp_path,
         "--workers", "2", "--teacher", MOBILENET, "--teacher-weights", tmp_path / "w.pth"],
        capture_output=True, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    assert run.returncode == 1
    assert "error: " in run.stderr
    assert len(run.stderr.splitlines()) <= 4, run.stderr
