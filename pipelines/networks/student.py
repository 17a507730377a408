"""A network trained by `sinet` as a teacher: bundled, or the student of an earlier round."""

from collections.abc import Sequence

from pipelines.networks.base import Image, Probability
from pipelines.workspace.files import sha256_prefix
from sinet.checkpoint import load_model
from sinet.network_ref import NetworkKind, NetworkRef
from sinet.predict import predict


class StudentTeacher:
    """A checkpoint of ours or of SINet's authors."""

    def __init__(self, network: NetworkRef, device: str) -> None:
        """Load the checkpoint.

        Args:
            network: bundled weights or a checkpoint.
            device: a torch device.

        Raises:
            SINetError: the file is missing, broken, or another network's.
        """
        self._model = load_model(network)
        self._model.network.to(device)
        shown = network.name if network.kind is NetworkKind.BUNDLED else f"sinet:{network.label}"
        self.name = f"{shown}@sha256:{sha256_prefix(network.weights())}"

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`. One image a run: each has its own size."""
        return [predict(self._model, image) for image in batch]
