"""A network trained here as a teacher: the student of one round labels the next one's crawl."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import ModelError
from pipelines.files import sha256_prefix
from pipelines.teachers.base import Image, Probability

PREFIX = "sinet:"


class StudentTeacher:
    """A checkpoint of ours or of SINet's authors."""

    def __init__(self, path: Path, device: str) -> None:
        """Load the checkpoint.

        Args:
            path: `.safetensors` of ours, or the authors' `.pth`.
            device: a torch device.

        Raises:
            ModelError: the file is missing, broken, or another network's.
        """
        from sinet.checkpoint import load_model
        from sinet.errors import SINetError

        check_student(path)
        try:
            self._model = load_model(path)
        except SINetError as error:
            raise ModelError(str(error)) from error
        self._model.network.to(device)
        self.name = f"{PREFIX}{path.name}@sha256:{sha256_prefix(path)}"

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`. One image a run: each has its own size."""
        from sinet.predict import predict

        return [predict(self._model, image) for image in batch]


def check_student(path: Path) -> None:
    """Find the mistakes that can be found without loading anything.

    Raises:
        ModelError: there is no such file, or it is an exported network.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint; give --teacher sinet:CHECKPOINT")
    if path.suffix.lower() == ".onnx":
        raise ModelError(f"{path}: an exported network; give --teacher onnx:{path}")
