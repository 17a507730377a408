"""The names of networks that a workspace understands."""

from pathlib import Path

import pytest

from pipelines.networks import (
    check_network,
    check_trainable,
    load_network,
    parse_network,
    second_opinion,
)
from pipelines.networks.names import AUTO, CURRENT, FAKE, TORCHVISION
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import OnnxSettings, TeacherSettings
from sinet.onnx.options import NAMES


@pytest.mark.parametrize("name", [AUTO, CURRENT, FAKE, *TORCHVISION, "bundled", "sinet:bundled"])
def test_every_name_is_known(name: str) -> None:
    check_network(parse_network(name))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("deeplabv3_resnet5", "did you mean deeplabv3_resnet50"),
        ("sinet:Curent", "did you mean sinet:current"),
        ("sinet:bundeld", "did you mean sinet:bundled"),
        ("resnet", "known are auto, deeplabv3_resnet50, .*, sinet:current, bundled"),
    ],
)
def test_a_name_that_is_none(name: str, pattern: str) -> None:
    with pytest.raises(ModelError, match=pattern) as caught:
        check_network(parse_network(name))
    assert "fake" not in str(caught.value)


@pytest.mark.parametrize("name", [AUTO, FAKE, TORCHVISION[0], "onnx:x.onnx"])
def test_what_cannot_be_trained_on(name: str) -> None:
    with pytest.raises(ModelError, match="but --init takes sinet:current, bundled, sinet:bundled"):
        check_trainable(parse_network(name), "--init")


@pytest.mark.parametrize(
    ("teacher", "asked", "others"),
    [
        ("auto", None, "bundled,sinet:bundled"),
        ("sinet:current", None, "bundled,sinet:bundled"),
        ("bundled", None, "sinet:bundled"),
        ("bundled,onnx:x.onnx", None, "sinet:bundled"),
        ("sinet:bundled,bundled", None, None),
        ("auto", "none", None),
        ("bundled", "sinet:current", "sinet:current"),
        ("onnx:x.onnx", "onnx:x.onnx", None),
    ],
)
def test_no_teacher_is_asked_what_it_thinks_of_itself(
    teacher: str, asked: str | None, others: str | None
) -> None:
    settings = TeacherSettings(name=teacher, **({} if asked is None else {"second_opinion": asked}))
    found = second_opinion(settings)
    assert (None if found is None else str(found)) == others


def test_the_settings_of_a_teacher_are_the_readers_options() -> None:
    assert tuple(OnnxSettings.model_fields) == NAMES


def test_only_a_workspace_knows_the_current_student() -> None:
    with pytest.raises(ModelError, match="sinet:current: only a workspace knows"):
        load_network(parse_network(CURRENT))


def test_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    (tmp_path / "x.onnx").touch()
    for name, pattern in (
        ("bundled", "no CUDA device is available here; use --device cpu"),
        (f"{tmp_path}/x.onnx", "onnxruntime here has no CUDA provider; .*--device cpu"),
    ):
        with pytest.raises(ModelError, match=pattern):
            load_network(parse_network(name), device="cuda")
