"""Networks trained here as teachers."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.networks import check_teacher, load_teacher
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import TeacherSettings
from sinet.checkpoint import Model, save_checkpoint
from sinet.networks import SINet
from sinet.normalisation import InputSpec


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "student.safetensors"
    save_checkpoint(path, Model(SINet().eval(), InputSpec(height=64, width=32)))
    return path


def test_a_student_teaches(checkpoint: Path) -> None:
    teacher = load_teacher(TeacherSettings(name=f"sinet:{checkpoint}"), "cpu")
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert teacher.name == f"sinet:student.safetensors@sha256:{digest[:16]}"
    noise = np.random.default_rng(0)
    images = [
        noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for height, width in [(64, 48), (90, 70), (1, 1)]
    ]
    together = teacher.person_probability(images)
    for image, probability in zip(images, together, strict=True):
        assert probability.shape == image.shape[:2]
        assert probability.dtype == np.float32
        assert 0 <= probability.min() <= probability.max() <= 1
    np.testing.assert_array_equal(teacher.person_probability(images[1:2])[0], together[1])


def test_the_authors_checkpoint_teaches(shared: Path) -> None:
    from sinet.data import find_samples, read_sample

    teacher = load_teacher(
        TeacherSettings(name=f"sinet:{shared / 'weights/sinet_official.pth'}"), "cpu"
    )
    assert teacher.name.startswith("sinet:sinet_official.pth@sha256:")
    image, mask, _ = read_sample(find_samples(shared / "data/eg1800", "val")[0])
    (probability,) = teacher.person_probability([image])
    person = probability > 0.5
    assert (person & (mask == 1)).sum() / (person | (mask == 1)).sum() > 0.85


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("sinet:missing.safetensors", "missing.safetensors: no such file"),
        ("sinet:{folder}/x.onnx", "an exported network by its suffix: give onnx:"),
        ("sinet:{folder}/cut.safetensors", "cut off, damaged"),
        ("sinet:{folder}/cut.pth", "broken or cut off"),
    ],
)
def test_what_is_no_student_is_refused(checkpoint: Path, name: str, pattern: str) -> None:
    folder = checkpoint.parent
    for other in ("x.onnx", "cut.safetensors", "cut.pth"):
        (folder / other).write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ModelError, match=pattern) as caught:
        load_teacher(TeacherSettings(name=name.format(folder=folder)), "cpu")
    assert "\n" not in str(caught.value)


def test_a_student_has_weights_of_its_own(checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="--teacher-weights is for torchvision's networks"):
        check_teacher(TeacherSettings(name=f"sinet:{checkpoint}", weights=str(checkpoint)))


def test_exported_and_not_it_teaches_the_same(shared: Path, tmp_path: Path) -> None:
    """The exported file tells how its images were made smaller in training."""
    from sinet.convert import convert
    from sinet.data import find_samples, read_sample

    official = shared / "weights/sinet_official.pth"
    convert(official, tmp_path / "sinet.onnx")
    exported = load_teacher(TeacherSettings(name=f"onnx:{tmp_path / 'sinet.onnx'}"), "cpu")
    student = load_teacher(TeacherSettings(name=f"sinet:{official}"), "cpu")
    for sample in find_samples(shared / "data/eg1800", "val")[:4]:
        image, _, _ = read_sample(sample)
        (ours,), (theirs,) = (
            teacher.person_probability([image]) for teacher in (exported, student)
        )
        both, either = ((ours > 0.5) & (theirs > 0.5)).sum(), ((ours > 0.5) | (theirs > 0.5)).sum()
        assert both / either > 0.999
