"""A network trained by `sinet` as a teacher: bundled, or the student of an earlier round."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipelines.networks.base import Image, Probability
from pipelines.workspace.errors import ModelError
from pipelines.workspace.files import sha256_prefix

PREFIX: Final = "sinet:"
BUNDLED: Final = ("bundled", "sinet:bundled")
"""Names of the weights in the package, as `sinet.bundled` has them: a DeepLabv3 and a SINet."""


class StudentTeacher:
    """A checkpoint of ours or of SINet's authors."""

    def __init__(self, name: str, device: str) -> None:
        """Load the checkpoint.

        Args:
            name: `bundled`, `sinet:bundled`, or `sinet:` and a file: `.safetensors` of ours, or
                the authors' `.pth`.
            device: a torch device.

        Raises:
            ModelError: the file is missing, broken, or another network's.
        """
        from sinet.bundled import weights_file
        from sinet.checkpoint import load_model
        from sinet.errors import SINetError

        check_student(name)
        path = weights_file(name if name in BUNDLED else name.removeprefix(PREFIX))
        try:
            self._model = load_model(path)
        except SINetError as error:
            raise ModelError(str(error)) from error
        self._model.network.to(device)
        shown = name if name in BUNDLED else f"{PREFIX}{path.name}"
        self.name = f"{shown}@sha256:{sha256_prefix(path)}"

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`. One image a run: each has its own size."""
        from sinet.predict import predict

        return [predict(self._model, image) for image in batch]


def is_student(name: str) -> bool:
    """Whether a teacher's name is one for this class."""
    return name in BUNDLED or name.startswith(PREFIX)


def check_student(name: str) -> None:
    """Find the mistakes that can be found without loading anything.

    Raises:
        ModelError: there is no such file, or it is an exported network.
    """
    if name in BUNDLED:
        return
    path = Path(name.removeprefix(PREFIX))
    if not path.is_file():
        raise ModelError(
            f"{path}: no such checkpoint; give --teacher sinet:CHECKPOINT or sinet:bundled"
        )
    if path.suffix.lower() == ".onnx":
        raise ModelError(f"{path}: an exported network; give --teacher onnx:{path}")
