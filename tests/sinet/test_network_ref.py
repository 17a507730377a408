"""What may be written where a network is wanted."""

from pathlib import Path

import pytest

from sinet.bundled import BUNDLED
from sinet.checkpoint import load_model
from sinet.errors import CheckpointError, NetworkError
from sinet.network_ref import TRAINABLE, NetworkKind, as_ref, parse

CHECKPOINT, ONNX = NetworkKind.CHECKPOINT, NetworkKind.ONNX


@pytest.mark.parametrize(
    ("text", "kind", "file", "label"),
    [
        ("bundled", NetworkKind.BUNDLED, BUNDLED["bundled"], "bundled"),
        ("sinet:bundled", NetworkKind.BUNDLED, BUNDLED["sinet:bundled"], "sinet:bundled"),
        ("sinet:a/b.safetensors", CHECKPOINT, Path("a/b.safetensors"), "b.safetensors"),
        ("sinet:odd:name", CHECKPOINT, Path("odd:name"), "odd:name"),
        ("sinet:./bundled", CHECKPOINT, Path("bundled"), "bundled"),
        ("onnx:a/b.onnx", ONNX, Path("a/b.onnx"), "b.onnx"),
        ("onnx:b.ort", ONNX, Path("b.ort"), "b.ort"),
        ("a/b.SAFETENSORS", CHECKPOINT, Path("a/b.SAFETENSORS"), "b.SAFETENSORS"),
        ("b.pth", CHECKPOINT, Path("b.pth"), "b.pth"),
        ("./b.onnx", ONNX, Path("b.onnx"), "b.onnx"),
        ("mine", NetworkKind.NAMED, None, "mine"),
        ("secret", NetworkKind.NAMED, None, "secret"),
    ],
)
def test_names(text: str, kind: NetworkKind, file: Path | None, label: str) -> None:
    found = parse(text, ["mine"], unlisted=["secret"])
    assert (found.kind, found.file, found.label, str(found)) == (kind, file, label, text)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("bundeld", r"unknown network 'bundeld'; known are mine, .*; did you mean bundled"),
        ("bundled-onnx", r"did you mean bundled"),
        ("SINET:Bundled", r"did you mean sinet:bundled"),
        ("mien", r"did you mean mine\?$"),
        ("onx:weights", r"did you mean onnx:weights\?$"),
        ("zzz", r"onnx:FILE, and files \(\.safetensors, \.pth, \.onnx\)$"),
        ("sinet:", r"unknown network 'sinet:'"),
        ("weights.ckpt", r"unknown network 'weights\.ckpt'"),
        ("sinet:a.onnx", r"an exported network by its suffix: give onnx:a\.onnx"),
        ("onnx:a.pth", r"a checkpoint by its suffix: give sinet:a\.pth"),
    ],
)
def test_a_name_that_is_none_says_what_is_accepted(text: str, pattern: str) -> None:
    with pytest.raises(NetworkError, match=pattern) as caught:
        parse(text, ["mine"], unlisted=["secret"])
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("sinet:curent", r"curent: no such file; did you mean sinet:current"),
        ("onx:gone.onnx", r"gone\.onnx: no such ONNX file; did you mean onnx:gone\.onnx"),
        ("onnx:gone.onnx", r"gone\.onnx: no such ONNX file\.$"),
        ("sinet:gone.pth", r"gone\.pth: no such file\.$"),
    ],
)
def test_a_missing_file_may_have_been_meant_otherwise(text: str, pattern: str) -> None:
    with pytest.raises(CheckpointError, match=pattern):
        parse(text, ["sinet:current"]).weights()


def test_a_place_says_which_networks_fit() -> None:
    pattern = (
        r"a\.onnx: an exported network, but --init takes mine, bundled, sinet:bundled, sinet:FILE"
    )
    for text in ("sinet:bundled", "a.pth", "sinet:a"):
        parse(text).must_be(TRAINABLE, "--init")
    parse("mine", ["mine"]).must_be(TRAINABLE, "--init", names=["mine"])
    with pytest.raises(NetworkError, match=pattern):
        parse("a.onnx").must_be(TRAINABLE, "--init", names=["mine"])
    with pytest.raises(NetworkError, match="an exported network, but PyTorch takes"):
        load_model("onnx:a.onnx")


def test_a_path_stands_for_itself(tmp_path: Path) -> None:
    for name, kind in (("bundled", CHECKPOINT), ("x.onnx", ONNX), ("sinet:bundled", CHECKPOINT)):
        found = as_ref(tmp_path / name)
        assert (found.file, found.kind) == (tmp_path / name, kind)
    assert as_ref(found) is found
