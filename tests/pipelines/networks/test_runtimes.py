"""Planning by names: on how many GPUs, and with which modules."""

from collections.abc import Callable

import pytest

from pipelines.networks import parse_network
from pipelines.networks.runtimes import gpus_for, modules_of

Chosen = Callable[[str, str], str]


@pytest.fixture
def two_gpus_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch can use both GPUs, ONNX Runtime none."""
    monkeypatch.setattr("pipelines.networks.runtimes.gpu_count", lambda: 2)
    monkeypatch.setattr(
        "pipelines.networks.runtimes.choose_device",
        lambda wanted, runtime: "cuda" if runtime == "torch" else "cpu",
    )


@pytest.mark.usefixtures("two_gpus_for_torch")
def test_gpus_count_where_a_networks_runtime_can_use_them() -> None:
    bundled, exported = parse_network("bundled"), parse_network("onnx:a.onnx")
    assert gpus_for([bundled], "auto") == 2
    assert gpus_for([exported], "auto") == 0
    assert gpus_for([exported, bundled], "cuda") == 2
    assert gpus_for([bundled], "cpu") == 0


def test_without_a_gpu_the_processor_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.networks.runtimes.gpu_count", lambda: 0)
    assert gpus_for([parse_network("bundled")], "cuda") == 0


def test_only_what_a_network_needs_is_imported_for_it() -> None:
    assert "sinet.checkpoint" not in modules_of([parse_network("onnx:a.onnx")])
    assert "sinet.checkpoint" in modules_of([parse_network("bundled")])
    assert "torchvision" not in modules_of([parse_network("sinet:bundled")])
    assert "torchvision" in modules_of([parse_network("deeplabv3_resnet50")])
