"""MediaPipe's network, out of its own package, wherever a network is named."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.networks import load_network, load_person_model, mediapipe_selfie, parse_network
from pipelines.workspace.errors import ModelError
from sinet.data.reading import read_image
from sinet.errors import CheckpointError
from sinet.onnx.from_tflite import onnx_of_tflite
from sinet.onnx.model import OnnxModel

OTHER = """
package="${1#--target=}/mediapipe/modules/selfie_segmentation"
mkdir -p "$package" && echo other > "$package/selfie_segmentation.tflite"
"""


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which it was never fetched; its cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_the_reference_conversion_on_real_photos(mediapipe: Path, shared: Path) -> None:
    reference = OnnxModel(shared / "weights/mediapipe_selfie.onnx")
    model = load_person_model(parse_network("mediapipe"), device="cpu")
    assert isinstance(model, OnnxModel)
    assert model.path == mediapipe
    photos = [
        path
        for folder in ("eg1800", "webval/street", "webval/faces")
        for path in sorted((shared / "data" / folder / "images").iterdir())[:4]
    ]
    assert len(photos) == 12
    for path in photos:
        image = read_image(path)
        person, expected = model.person_at_input(image), reference.person_at_input(image)
        assert person.shape == expected.shape == (256, 256)
        assert np.abs(person - expected).max() < 1e-3
    assert 100_000 < model.parameters < 110_000
    # Of MediaPipe's own file, whatever wrote the other one.
    name = load_network(parse_network("mediapipe"), device="cpu").name
    assert name == f"mediapipe@sha256:{mediapipe_selfie.SHA256[:16]}"


@pytest.mark.parametrize(
    ("script", "pattern"),
    [
        ("exit 1", r"could not be fetched: .* mediapipe==0.10.21 tells why; .* bring .*onnx along"),
        (OTHER, "is another one than is known here"),
    ],
)
def test_a_package_that_does_not_come_or_is_another_one(
    nothing_kept: Path, monkeypatch: pytest.MonkeyPatch, script: str, pattern: str
) -> None:
    monkeypatch.setattr(mediapipe_selfie, "_installer", lambda: ["sh", "-c", script, "sh"])
    with pytest.raises(ModelError, match=pattern):
        load_network(parse_network("mediapipe"))
    assert list((nothing_kept / "dataengine").iterdir()) == []


def test_a_network_with_an_unknown_step_is_refused(mediapipe: Path, tmp_path: Path) -> None:
    content = mediapipe_selfie._content(tmp_path)
    known, unknown = b"Convolution2DTransposeBias", b"Convolution3DTransposeBias"
    assert content.count(known) == 1
    with pytest.raises(CheckpointError, match="has the step Convolution3DTransposeBias, unknown"):
        onnx_of_tflite(content.replace(known, unknown), {})
