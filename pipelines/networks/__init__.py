"""Teachers: who proposes the masks."""

from pathlib import Path

from pipelines.networks.base import Teacher
from pipelines.networks.student import StudentTeacher, check_student, is_student
from pipelines.networks.torchvision_deeplab import NETWORKS
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import TeacherSettings

__all__ = ["NETWORKS", "Teacher", "check_teacher", "check_teachers", "load_teacher"]


def load_teacher(settings: TeacherSettings, device: str, threads: int = 1) -> Teacher:
    """Load the teacher that the settings name.

    Args:
        settings: name, weights and overrides.
        device: "cpu" or "cuda"; `auto` is deeplabv3_resnet101 on CUDA, else mobilenet_v3_large.
        threads: of the runtime within this process.

    Raises:
        ModelError: an unknown name, or weights that cannot be had or do not fit.
    """
    check_teacher(settings)
    name = settings.name
    if name == "fake":
        from pipelines.networks.fake import FakeTeacher

        return FakeTeacher()
    if name.startswith("onnx:"):
        from pipelines.networks.onnx import OnnxTeacher

        return OnnxTeacher(Path(name.removeprefix("onnx:")), settings.onnx, device, threads)
    if is_student(name):
        return StudentTeacher(name, device)
    from pipelines.networks.torchvision_deeplab import TorchvisionTeacher

    if name == "auto":
        name = "deeplabv3_resnet101" if device != "cpu" else "deeplabv3_mobilenet_v3_large"
    weights = Path(settings.weights) if settings.weights else None
    return TorchvisionTeacher(name, weights, device)


def check_teachers(settings: TeacherSettings) -> None:
    """`check_teacher` for the teacher and for the second opinion, if one is wanted.

    Raises:
        ModelError: as there.
    """
    check_teacher(settings)
    if settings.second_opinion is not None:
        check_teacher(TeacherSettings(name=settings.second_opinion))


def check_teacher(settings: TeacherSettings) -> None:
    """Find the mistakes that can be found without loading anything.

    Raises:
        ModelError: an unknown name, a missing file, or weights for a teacher that has its own.
    """
    name, weights = settings.name, settings.weights
    if name.startswith("onnx:"):
        path = Path(name.removeprefix("onnx:"))
        if not path.is_file():
            raise ModelError(f"{path}: no such ONNX file; give --teacher onnx:FILE")
    elif is_student(name):
        check_student(name)
    elif name not in ("auto", "fake", *NETWORKS):
        raise ModelError(
            f"unknown teacher {name!r}; known are auto, {', '.join(NETWORKS)}, bundled, "
            "onnx:FILE, sinet:CHECKPOINT and sinet:bundled"
        )
    if weights is not None:
        if name.startswith("onnx:") or is_student(name) or name == "fake":
            raise ModelError(f"--teacher-weights is for torchvision's networks, not for {name}")
        if not Path(weights).is_file():
            raise ModelError(f"{weights}: no such file; --teacher-weights wants a state dict")
